"""Random expressions of plain CEL, each of a known type, and values for their variables."""

import functools
from collections.abc import Mapping

from hypothesis import strategies as st

from headrace.dsl.cel import BOOL, DOUBLE, DYN, INT, OCTETS, STRING, UINT, Uint, list_of, map_of

Text = st.SearchStrategy[str]
INTS = (0, 1, 2, 3, 7, -1, -2, 100, 2**31, 2**53 + 1, 2**62, 2**63 - 1, -(2**63))
UINTS = (0, 1, 2, 5, 2**32, 2**63, 2**64 - 1)
DOUBLES = (0.0, -0.0, 0.5, 1.0, 2.25, -1.5, 100.0, 1e300, 9007199254740993.0, 1e-9)
TEXTS = ("", "a", "ab", "b", "x-job", "é", "3", "true", "1.5", "2009-02-13T23:31:30Z")
TYPES = {
    "i": INT,
    "u": UINT,
    "d": DOUBLE,
    "s": STRING,
    "b": BOOL,
    "y": OCTETS,
    "li": list_of(INT),
    "ls": list_of(STRING),
    "m": map_of(STRING, INT),
    "any": DYN,
}


def _join(*parts: Text) -> Text:
    return st.tuples(*parts).map(lambda found: f"({' '.join(found)})")


def _call(form: str, *parts: Text) -> Text:
    return st.tuples(*parts).map(lambda found: form.format(*found))


def _ops(*ops: str) -> Text:
    return st.sampled_from(ops)


def _quoted(text: str) -> str:
    return f"'{text}'"


@functools.cache
def ints(depth: int) -> Text:
    """Return expressions of type int."""
    leaves = st.one_of(st.sampled_from(INTS).map(lambda n: f"({n})"), st.just("i"))
    if not depth:
        return leaves
    less = ints(depth - 1)
    return st.one_of(
        leaves,
        _join(less, _ops("+", "-", "*", "/", "%"), less),
        _call("(-({}))", less),
        _call("({} ? {} : {})", bools(depth - 1), less, less),
        _call("size({})", st.one_of(texts(depth - 1), lists(depth - 1))),
        _call("{}[{}]", lists(depth - 1), less),
        _call("int({})", st.one_of(uints(depth - 1), doubles(depth - 1), texts(0))),
        _call("{}.indexOf({})", texts(depth - 1), texts(0)),
        _call("m[{}]", texts(0)),
        _call("math.greatest({}, {})", less, less),
        _call("math.abs({})", less),
        _call("math.bitXor({}, {})", less, less),
        _call("math.bitShiftRight({}, {})", less, st.sampled_from(["1", "3", "63", "65"])),
        _call("{}.lastIndexOf({})", texts(depth - 1), texts(0)),
        _call("{}.{}()", spans(depth - 1), _ops("getHours", "getSeconds", "getMilliseconds")),
        _call("{}.{}()", instants(depth - 1), _ops("getFullYear", "getDayOfYear", "getMonth",
              "getDayOfWeek", "getDate", "getDayOfMonth", "getMinutes", "getMilliseconds")),
        _call("math.bitShiftLeft({}, {})", less, st.sampled_from(["1", "2", "63", "64"])),
        _call("m[?{}].orValue({})", texts(0), less),
        _call("cel.bind(t, {}, t + t)", less),
        st.sampled_from(["getFullYear", "getMonth", "getDayOfYear", "getDayOfWeek", "getHours"])
        .map(lambda part: f"timestamp(1234567890).{part}()"),
    )  # fmt: skip


@functools.cache
def uints(depth: int) -> Text:
    """Return expressions of type uint."""
    leaves = st.one_of(st.sampled_from(UINTS).map(lambda n: f"{n}u"), st.just("u"))
    if not depth:
        return leaves
    less = uints(depth - 1)
    return st.one_of(
        leaves,
        _join(less, _ops("+", "-", "*", "/", "%"), less),
        _call("uint({})", st.one_of(ints(depth - 1), doubles(depth - 1))),
        _call("math.bitNot({})", less),
    )


@functools.cache
def doubles(depth: int) -> Text:
    """Return expressions of type double."""
    leaves = st.one_of(st.sampled_from(DOUBLES).map(lambda x: f"({x!r})"), st.just("d"))
    if not depth:
        return leaves
    less = doubles(depth - 1)
    return st.one_of(
        leaves,
        _join(less, _ops("+", "-", "*", "/"), less),
        _call("double({})", st.one_of(ints(depth - 1), uints(depth - 1))),
        _call("math.{}({})", _ops("ceil", "floor", "round", "trunc", "sign", "abs"), less),
        _call("(-({}))", less),
    )


@functools.cache
def texts(depth: int) -> Text:
    """Return expressions of type string."""
    leaves = st.one_of(st.sampled_from(TEXTS).map(_quoted), st.just("s"))
    if not depth:
        return leaves
    less = texts(depth - 1)
    return st.one_of(
        leaves,
        _join(less, st.just("+"), less),
        _call("string({})", st.one_of(ints(depth - 1), uints(depth - 1), bools(depth - 1))),
        _call("string({})", st.sampled_from(["1.5", "100.0", "-0.25", "1e300"])),
        _call("{}.{}()", less, _ops("lowerAscii", "upperAscii", "trim")),
        _call("{}.substring({})", less, ints(0)),
        _call("{}.replace({}, {})", less, texts(0), texts(0)),
        _call("{}.charAt({})", less, ints(0)),
        _call("ls.join({})", texts(0)),
        _call("({} ? {} : {})", bools(depth - 1), less, less),
        _call("optional.ofNonZeroValue({}).orValue({})", less, texts(0)),
        _call("'%d and %s'.format([{}, {}])", ints(depth - 1), less),
        _call("string({})", doubles(depth - 1)),
        _call("string(timestamp({}))", ints(depth - 1)),
        _call("string({})", spans(depth - 1)),
        _call("string({} + {})", instants(depth - 1), spans(depth - 1)),
        _call("string({} - {})", instants(depth - 1), instants(depth - 1)),
        _call("string(bytes({}))", less),
        _call("strings.quote({})", less),
        _call("{}.reverse()", less),
        _call("{}.split({}).join('/')", less, texts(0)),
        _call("{}.split({}, {}).join('/')", less, texts(0), _ops("-1", "0", "1", "2")),
        _call("{}.replace({}, {}, {})", less, texts(0), texts(0), _ops("-1", "0", "1")),
        _call("string({})", st.sampled_from(["'x'", "type(1)", "b'\\xff'", "b'ok'"])),
    )


SPANS = ("1s", "-1.5s", "90m", "1h2m3s", "100ms", "7ns", "1000000000s", "1.000001s")
INSTANTS = ("0", "1234567890", "-62135596800", "253402300799")


@functools.cache
def spans(depth: int) -> Text:
    """Return expressions of type duration."""
    leaves = st.sampled_from(SPANS).map(lambda span: f"duration('{span}')")
    if not depth:
        return leaves
    return st.one_of(leaves, _join(spans(depth - 1), _ops("+", "-"), spans(depth - 1)))


@functools.cache
def instants(depth: int) -> Text:
    """Return expressions of type timestamp."""
    leaves = st.sampled_from(INSTANTS).map(lambda at: f"timestamp({at})")
    if not depth:
        return leaves
    return st.one_of(leaves, _join(instants(depth - 1), _ops("+", "-"), spans(depth - 1)))


@functools.cache
def lists(depth: int) -> Text:
    """Return expressions of type list of int."""
    leaves = st.sampled_from(["li", "[1, 2, 3]", "[0]"])
    if not depth:
        return leaves
    less = lists(depth - 1)
    return st.one_of(
        leaves,
        _call("[{}, {}]", ints(depth - 1), ints(depth - 1)),
        _join(less, st.just("+"), less),
        _call("{}.map(x, x * {})", less, ints(0)),
        _call("{}.filter(x, x > {})", less, ints(depth - 1)),
        _call("{}.map(x, x > 1, {} / x)", less, ints(0)),
    )


@functools.cache
def bools(depth: int) -> Text:
    """Return expressions of type bool."""
    leaves = st.sampled_from(["true", "false", "b", "has(m.a)"])
    if not depth:
        return leaves
    compared = _ops("<", "<=", ">", ">=", "==", "!=")
    less = bools(depth - 1)
    number = st.one_of(ints(depth - 1), uints(depth - 1), doubles(depth - 1))
    return st.one_of(
        leaves,
        _join(ints(depth - 1), compared, ints(depth - 1)),
        _join(doubles(depth - 1), compared, doubles(depth - 1)),
        _call("(dyn({}) {} dyn({}))", number, compared, number),
        _join(texts(depth - 1), compared, texts(depth - 1)),
        _join(less, _ops("&&", "||"), less),
        _call("!({})", less),
        _call("{}.{}({})", texts(0), _ops("contains", "startsWith", "endsWith"), texts(0)),
        _call("({} in {})", ints(depth - 1), lists(depth - 1)),
        _call("{}.{}(x, {} / x == {})", lists(depth - 1), _ops("exists", "all", "exists_one"),
              ints(0), ints(0)),
        _call("({} == {})", lists(depth - 1), lists(depth - 1)),
        _call("(dyn({}) && {})", ints(0), less),
        _call("(any || {})", less),
        _call("type(any) == type({})", number),
        _call("m[?{}].hasValue()", texts(0)),
        _join(spans(depth - 1), compared, spans(depth - 1)),
        _join(instants(depth - 1), compared, instants(depth - 1)),
        _call("(bytes({}) < bytes({}))", texts(depth - 1), texts(depth - 1)),
        _call(
            "(dyn({}) == dyn({}))",
            _ops("{1: 2}", "{1u: 2}", "{true: 1}"),
            _ops("{1: 2.0}", "{1: 1}"),
        ),
        _call("matches({}, {})", texts(0), _ops("'a+'", "'^x-'", "'['", "'.'")),
    )  # fmt: skip


ANY = st.one_of(ints(3), uints(2), doubles(2), texts(3), bools(3), lists(2))
_INT64 = st.integers(-(2**63), 2**63 - 1)
VALUES: st.SearchStrategy[Mapping[str, object]] = st.fixed_dictionaries(
    {
        "i": st.integers(-3, 3) | _INT64,
        "u": st.integers(0, 3).map(Uint),
        "d": st.floats(),
        "s": st.sampled_from(TEXTS),
        "b": st.booleans(),
        "li": st.lists(st.integers(-2, 3), max_size=3),
        "ls": st.lists(st.sampled_from(TEXTS), max_size=3),
        "m": st.dictionaries(st.sampled_from(TEXTS), st.integers(-3, 3), max_size=3),
        "any": st.one_of(st.booleans(), st.integers(-3, 3), st.floats(), st.sampled_from(TEXTS)),
    }
)
