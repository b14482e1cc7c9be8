"""The table of functions: one line per overload, and what runs for it."""

from collections.abc import Callable

from headrace.dsl.cel import calendar, compare, convert, lists, numbers, texts, wording
from headrace.dsl.cel.values import Timestamp

Rows = tuple[tuple[str, Callable[..., object]], ...]
_NUMBERS = ("int", "uint", "double")
_ORDERED = ("bool", "string", "bytes", "timestamp", "duration")
_ORDERS = (
    ("_<_", compare.below),
    ("_<=_", compare.at_most),
    ("_>_", compare.above),
    ("_>=_", compare.at_least),
)


def _not(value: bool) -> bool:
    return not value


def _order_rows() -> Rows:
    pairs = [(a, b) for a in _NUMBERS for b in _NUMBERS] + [(a, a) for a in _ORDERED]
    return tuple((f"{name}({a}, {b}) -> bool", run) for name, run in _ORDERS for a, b in pairs)


_OPERATORS: Rows = (
    ("!_(bool) -> bool", _not),
    ("-_(int) -> int", numbers.neg),
    ("-_(double) -> double", numbers.double_neg),
    ("-_(duration) -> duration", numbers.duration_neg),
    ("_+_(int, int) -> int", numbers.add),
    ("_+_(uint, uint) -> uint", numbers.uint_add),
    ("_+_(double, double) -> double", numbers.double_add),
    ("_+_(string, string) -> string", numbers.text_add),
    ("_+_(bytes, bytes) -> bytes", numbers.text_add),
    ("_+_(list(A), list(A)) -> list(A)", numbers.list_add),
    ("_+_(duration, duration) -> duration", numbers.duration_add),
    ("_+_(timestamp, duration) -> timestamp", numbers.later),
    ("_+_(duration, timestamp) -> timestamp", numbers.later_by),
    ("_-_(int, int) -> int", numbers.sub),
    ("_-_(uint, uint) -> uint", numbers.uint_sub),
    ("_-_(double, double) -> double", numbers.double_sub),
    ("_-_(duration, duration) -> duration", numbers.duration_sub),
    ("_-_(timestamp, duration) -> timestamp", numbers.earlier),
    ("_-_(timestamp, timestamp) -> duration", numbers.between),
    ("_*_(int, int) -> int", numbers.mul),
    ("_*_(uint, uint) -> uint", numbers.uint_mul),
    ("_*_(double, double) -> double", numbers.double_mul),
    ("_/_(int, int) -> int", numbers.div),
    ("_/_(uint, uint) -> uint", numbers.uint_div),
    ("_/_(double, double) -> double", numbers.ratio),
    ("_%_(int, int) -> int", numbers.rem),
    ("_%_(uint, uint) -> uint", numbers.uint_rem),
    ("_==_(A, A) -> bool", compare.same_value),
    ("_!=_(A, A) -> bool", compare.other_value),
    ("@in(A, list(A)) -> bool", compare.is_in),
    ("@in(A, map(A, B)) -> bool", compare.is_in),
    ("_[_](list(A), int) -> A", lists.item_at),
    ("_[_](map(A, B), A) -> B", lists.item_at),
    ("_[_](optional(list(A)), int) -> optional(A)", lists.item_at),
    ("_[_](optional(map(A, B)), A) -> optional(B)", lists.item_at),
    ("_[?_](list(A), int) -> optional(A)", lists.maybe_at),
    ("_[?_](map(A, B), A) -> optional(B)", lists.maybe_at),
    ("_[?_](optional(list(A)), int) -> optional(A)", lists.maybe_at),
    ("_[?_](optional(map(A, B)), A) -> optional(B)", lists.maybe_at),
    *_order_rows(),
    *((f"{n}({a}, {b}) -> bool", run)
      for n, run in (("_==_", compare.same_value), ("_!=_", compare.other_value))
      for a in _NUMBERS for b in _NUMBERS if a != b),
)  # fmt: skip

_CONVERSIONS: Rows = (
    ("bool(bool) -> bool", numbers.same),
    ("bool(string) -> bool", convert.bool_of_text),
    ("int(int) -> int", numbers.same),
    ("int(uint) -> int", convert.int_of_uint),
    ("int(double) -> int", convert.int_of_double),
    ("int(string) -> int", convert.int_of_text),
    ("int(timestamp) -> int", calendar.seconds_of_timestamp),
    ("uint(uint) -> uint", numbers.same),
    ("uint(int) -> uint", convert.uint_of_int),
    ("uint(double) -> uint", convert.uint_of_double),
    ("uint(string) -> uint", convert.uint_of_text),
    ("double(double) -> double", numbers.same),
    ("double(int) -> double", convert.double_of_number),
    ("double(uint) -> double", convert.double_of_number),
    ("double(string) -> double", convert.double_of_text),
    ("string(string) -> string", numbers.same),
    ("string(bool) -> string", convert.text_of_bool),
    ("string(int) -> string", convert.text_of_number),
    ("string(uint) -> string", convert.text_of_number),
    ("string(double) -> string", convert.text_of_double),
    ("string(bytes) -> string", convert.text_of_octets),
    ("string(timestamp) -> string", calendar.timestamp_text),
    ("string(duration) -> string", calendar.duration_text),
    ("bytes(bytes) -> bytes", numbers.same),
    ("bytes(string) -> bytes", convert.octets_of_text),
    ("timestamp(timestamp) -> timestamp", numbers.same),
    ("timestamp(string) -> timestamp", calendar.timestamp_of_text),
    ("timestamp(int) -> timestamp", calendar.timestamp_of_int),
    ("duration(duration) -> duration", numbers.same),
    ("duration(string) -> duration", calendar.duration_of_text),
    ("dyn(A) -> dyn", numbers.same),
    ("type(A) -> type(A)", convert.type_name),
)

_SIZES: Rows = tuple(
    (f"size({kind}) -> int", lists.size) for kind in ("string", "bytes", "list(A)", "map(A, B)")
)
_MATCHES: Rows = (("matches(string, string) -> bool", texts.matches),)


def _of_numbers(name: str, run: Callable[..., object], *kinds: str) -> Rows:
    return tuple((f"math.{name}({', '.join([k] * 2)}) -> {k}", run) for k in kinds)


_MATH: Rows = (
    *((f"math.{n}({k}...) -> {k}", run)
      for n, run in (("greatest", compare.greatest), ("least", compare.least))
      for k in (*_NUMBERS, "dyn")),
    *((f"math.{n}(list({k})) -> {k}", run)
      for n, run in (("greatest", compare.greatest), ("least", compare.least))
      for k in (*_NUMBERS, "dyn")),
    ("math.ceil(double) -> double", numbers.ceil),
    ("math.floor(double) -> double", numbers.floor),
    ("math.round(double) -> double", numbers.round_),
    ("math.trunc(double) -> double", numbers.trunc),
    ("math.abs(int) -> int", numbers.abs_),
    ("math.abs(uint) -> uint", numbers.same),
    ("math.abs(double) -> double", numbers.double_abs),
    ("math.sign(int) -> int", numbers.sign),
    ("math.sign(uint) -> uint", numbers.uint_sign),
    ("math.sign(double) -> double", numbers.double_sign),
    ("math.sqrt(double) -> double", numbers.sqrt),
    ("math.sqrt(int) -> double", numbers.sqrt),
    ("math.sqrt(uint) -> double", numbers.sqrt),
    ("math.isNaN(double) -> bool", numbers.is_nan),
    ("math.isInf(double) -> bool", numbers.is_inf),
    ("math.isFinite(double) -> bool", numbers.is_finite),
    *_of_numbers("bitAnd", numbers.bit_and, "int", "uint"),
    *_of_numbers("bitOr", numbers.bit_or, "int", "uint"),
    *_of_numbers("bitXor", numbers.bit_xor, "int", "uint"),
    ("math.bitNot(int) -> int", numbers.bit_not),
    ("math.bitNot(uint) -> uint", numbers.bit_not),
    ("math.bitShiftLeft(int, int) -> int", numbers.bit_shift_left),
    ("math.bitShiftLeft(uint, int) -> uint", numbers.bit_shift_left),
    ("math.bitShiftRight(int, int) -> int", numbers.bit_shift_right),
    ("math.bitShiftRight(uint, int) -> uint", numbers.bit_shift_right),
)  # fmt: skip

FUNCTIONS: Rows = (
    *_OPERATORS,
    *_CONVERSIONS,
    *_SIZES,
    *_MATCHES,
    *_MATH,
    ("strings.quote(string) -> string", texts.quote),
    ("base64.encode(bytes) -> string", texts.base64_encode),
    ("base64.decode(string) -> bytes", texts.base64_decode),
    ("lists.range(int) -> list(int)", lists.numbers_to),
    ("sets.contains(list(A), list(A)) -> bool", compare.sets_contain),
    ("sets.equivalent(list(A), list(A)) -> bool", compare.sets_equivalent),
    ("sets.intersects(list(A), list(A)) -> bool", compare.sets_intersect),
    ("optional.of(A) -> optional(A)", lists.some),
    ("optional.ofNonZeroValue(A) -> optional(A)", lists.some_nonzero),
    ("optional.none() -> optional(A)", lists.absent),
    ("optional.unwrap(list(optional(A))) -> list(A)", lists.unwrapped),
)

METHODS: Rows = (
    *_SIZES,
    *_MATCHES,
    ("startsWith(string, string) -> bool", texts.starts_with),
    ("endsWith(string, string) -> bool", texts.ends_with),
    ("contains(string, string) -> bool", texts.has_part),
    ("charAt(string, int) -> string", texts.char_at),
    ("indexOf(string, string) -> int", texts.index_of),
    ("indexOf(string, string, int) -> int", texts.index_from),
    ("lastIndexOf(string, string) -> int", texts.last_index_of),
    ("lastIndexOf(string, string, int) -> int", texts.last_index_from),
    ("lowerAscii(string) -> string", texts.lower_ascii),
    ("upperAscii(string) -> string", texts.upper_ascii),
    ("replace(string, string, string) -> string", texts.replace),
    ("replace(string, string, string, int) -> string", texts.replace_some),
    ("split(string, string) -> list(string)", texts.split),
    ("split(string, string, int) -> list(string)", texts.split_some),
    ("substring(string, int) -> string", texts.substring_from),
    ("substring(string, int, int) -> string", texts.substring),
    ("trim(string) -> string", texts.trim),
    ("reverse(string) -> string", texts.reverse),
    ("reverse(list(A)) -> list(A)", lists.reversed_list),
    ("join(list(string)) -> string", texts.join),
    ("join(list(string), string) -> string", texts.join_with),
    ("format(string, list(dyn)) -> string", wording.formatted),
    ("slice(list(A), int, int) -> list(A)", lists.cut),
    ("flatten(list(list(A))) -> list(A)", lists.flattened),
    ("flatten(list(dyn)) -> list(dyn)", lists.flattened),
    ("flatten(list(dyn), int) -> list(dyn)", lists.flattened_to),
    ("sort(list(A)) -> list(A)", compare.sorted_list),
    ("distinct(list(A)) -> list(A)", compare.distinct),
    ("first(list(A)) -> optional(A)", lists.first),
    ("last(list(A)) -> optional(A)", lists.last),
    ("hasValue(optional(A)) -> bool", lists.has_value),
    ("value(optional(A)) -> A", lists.value_of),
    ("or(optional(A), optional(A)) -> optional(A)", lists.or_other),
    ("orValue(optional(A), A) -> A", lists.or_value),
    ("unwrapOpt(list(optional(A))) -> list(A)", lists.unwrapped),
    ("getFullYear(timestamp) -> int", calendar.full_year),
    ("getMonth(timestamp) -> int", calendar.month),
    ("getDate(timestamp) -> int", calendar.date),
    ("getDayOfMonth(timestamp) -> int", calendar.day_of_month),
    ("getDayOfWeek(timestamp) -> int", calendar.day_of_week),
    ("getDayOfYear(timestamp) -> int", calendar.day_of_year),
    ("getHours(timestamp) -> int", calendar.hours),
    ("getMinutes(timestamp) -> int", calendar.minutes),
    ("getSeconds(timestamp) -> int", calendar.seconds),
    ("getMilliseconds(timestamp) -> int", calendar.milliseconds),
    ("getHours(duration) -> int", calendar.duration_hours),
    ("getMinutes(duration) -> int", calendar.duration_minutes),
    ("getSeconds(duration) -> int", calendar.duration_seconds),
    ("getMilliseconds(duration) -> int", calendar.duration_milliseconds),
)
ZONED: tuple[tuple[str, Callable[[Timestamp], int]], ...] = (
    ("getFullYear(timestamp, string) -> int", calendar.full_year),
    ("getMonth(timestamp, string) -> int", calendar.month),
    ("getDate(timestamp, string) -> int", calendar.date),
    ("getDayOfMonth(timestamp, string) -> int", calendar.day_of_month),
    ("getDayOfWeek(timestamp, string) -> int", calendar.day_of_week),
    ("getDayOfYear(timestamp, string) -> int", calendar.day_of_year),
    ("getHours(timestamp, string) -> int", calendar.hours),
    ("getMinutes(timestamp, string) -> int", calendar.minutes),
    ("getSeconds(timestamp, string) -> int", calendar.seconds),
    ("getMilliseconds(timestamp, string) -> int", calendar.milliseconds),
)
LAZY = frozenset({"or", "orValue"})  # methods whose argument is evaluated only if it is needed
# Functions that have one meaning for all types, and refuse what they are not for themselves.
POLYMORPHIC = frozenset(
    (
        "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in", "_[_]", "_[?_]", "size",
        "math.greatest", "math.least",
    )
)  # fmt: skip
