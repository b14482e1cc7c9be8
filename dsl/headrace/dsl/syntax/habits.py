"""The mistakes of people who know other languages: quotes, units, comments, operators."""

import re
from collections.abc import Callable

from headrace.dsl.problems.diagnostic import Applicability
from headrace.dsl.syntax.place import Edit, Mistake, Place, padded

SAFE, MAYBE = Applicability.SAFE, Applicability.MAYBE
_SOUND_UNITS = frozenset(
    ("ns", "us", "ms", "s", "min", "h", "d")  # of durations
) | frozenset(("B", "KB", "KiB", "MB", "MiB", "GB", "GiB", "TB", "TiB"))
_QUANTITY = re.compile(r"(\d[\d_]*(?:\.\d+)?)([A-Za-z_]+)")
# unit -> (what to say, what to write if that is certain)
_UNITS = {
    "m": ("minutes are `{0}min`; milli does not exist", ""),
    "sec": ("seconds are `{0}s`", "{0}s"),
    "secs": ("seconds are `{0}s`", "{0}s"),
    "seconds": ("seconds are `{0}s`", "{0}s"),
    "minutes": ("minutes are `{0}min`", "{0}min"),
    "mins": ("minutes are `{0}min`", "{0}min"),
    "hours": ("hours are `{0}h`", "{0}h"),
    "u": ("there is no unsigned int here: write `{0}`", "{0}"),
    "k": ("write the number out, `{0}_000`; a size is `{0}KB` or `{0}KiB`", ""),
    "K": ("write the number out, `{0}_000`; a size is `{0}KB` or `{0}KiB`", ""),
    "M": ("write the number out, `{0}_000_000`; a size is `{0}MB` or `{0}MiB`", ""),
    "G": ("a size is `{0}GB` or `{0}GiB`", ""),
    "kb": ("a size is `{0}KB` or `{0}KiB`", ""),
    "mb": ("a size is `{0}MB` or `{0}MiB`", ""),
}
_ANY_UNIT = "durations: `ns us ms s min h d`; sizes: `B KB KiB MB MiB GB GiB`"
# Words and signs of other languages where an operator is expected -> ours.
_OPERATORS = {
    "and": "&&", "AND": "&&", "or": "||", "OR": "||", "is": "==", "equals": "==", "&": "&&",
    "|": "||", "=": "==",
}  # fmt: skip
_CURLY = {"“": "”", "”": "”", "„": "“", "‘": "’", "’": "’", "«": "»", "`": "`"}  # noqa: RUF001


def sign_at(place: Place, message: str, help_: str, size: int = 1, instead: str = "") -> Mistake:
    """Return the mistake of a sign of *size* characters where *instead* belongs."""
    span = (place.start, place.start + size)
    edits = (Edit(place.start, padded(instead, size)),)
    label = f"meant as `{instead}`?" if instead else "leave it out"
    return Mistake("S101", span, message, label, help_, (instead, SAFE), edits)


def _quote(place: Place) -> Mistake | None:
    close = _CURLY.get(place.word[:1])
    if close is None:
        return None
    line = place.line_after
    end = next((i for i, c in enumerate(line[1:], 1) if c in (close, '"')), None)
    help_ = 'strings stand in straight quotes: `"..."`'
    sign = "a backtick" if place.word[0] == "`" else f"`{place.word[0]}`"
    message = f"{sign} is not a quote of this language"
    if end is None or '"' in line[1:end]:
        return Mistake("S101", (place.start, place.start + 1), message, "here", help_)
    text = f'"{line[1:end]}"'
    edits = (Edit(place.start, text),)
    span = (place.start, place.start + end + 1)
    return Mistake("S101", span, message, "begins here", help_, (text, SAFE), edits)


def _quantity(place: Place) -> Mistake | None:
    found = _QUANTITY.fullmatch(place.word)
    if found is None or found[2] in _SOUND_UNITS:
        return None  # a sound quantity in a wrong place is another mistake
    number, unit = found.groups()
    hint, cure = _UNITS.get(unit, (_ANY_UNIT, ""))
    message = f"`{place.word}` has no unit that exists here"
    if unit == "m":
        message = f"`{place.word}` is ambiguous: some read minutes, some milli"
    fix = (cure.format(number), SAFE) if cure else (f"{number}min", MAYBE) if unit == "m" else None
    guess = padded(f"{number}s" if unit[0] in "msh" else number, len(place.word))
    span, edits = (place.start, place.end), (Edit(place.start, guess),)
    return Mistake("S105", span, message, "which unit?", hint.format(number), fix, edits)


def _comment(place: Place) -> Mistake | None:
    sign = place.line_after[:2]
    if sign not in ("//", "/*", "--") or ("RELOP" in place.expected and sign == "--"):
        return None
    help_ = "a comment begins with `#` and ends with the line"
    found = sign_at(place, f"`{sign}` does not begin a comment", help_, 2, "#")
    return found if sign != "/*" else Mistake("S101", found.span, found.message, "here", help_)


def _not(place: Place) -> Mistake | None:
    found = re.search(r"\b(not|NOT)[ \t]+$", place.before)
    if found is None or "RELOP" not in place.expected:
        return None
    start, text = place.start - len(found[0]), found[0]
    help_ = "write `!` for not: `!endpoint.ready`; round a comparison, `!(a == b)`"
    operand = re.match(r"[\w.]*", place.line_after)
    edits = (Edit(start, padded("!", len(text)) + (operand[0] if operand else "")),)
    span = (start, start + 3)
    message = f"`{found[1]}` is no operator here"
    cure = ("!", MAYBE)
    return Mistake("S101", span, message, "meant as `!`?", help_, cure, edits)


def _if(place: Place) -> Mistake | None:
    found = re.search(r"\bif[ \t]+$", place.before)
    if found is None or "RELOP" not in place.expected:
        return None
    start, help_ = place.start - len(found[0]), "write `CONDITION ? THIS : THAT`"
    return Mistake("S101", (start, start + 2), "`if` is no operator here", "not here", help_)


def _operator(place: Place) -> Mistake | None:
    """An operator of another language between two operands."""
    if "RELOP" not in place.expected:
        return None
    line = place.line_after
    if line.startswith("=>"):
        return sign_at(place, "`=>` is no operator here", "at least is `>=`", 2, ">=")
    if line.startswith("=~"):
        help_ = 'to match a pattern write `request.path.matches("^/v1/")`'
        span = (place.start, place.start + 2)
        return Mistake("S101", span, "`=~` is no operator here", "not here", help_)
    return _word_operator(place)


def _to_write(word: str) -> str:
    ours = _OPERATORS[word]
    return f"to compare write `{ours}`" if ours == "==" else f"write `{ours}`"


def _word_operator(place: Place) -> Mistake | None:
    ours = _OPERATORS.get(place.word)
    if ours is None or (place.word == "=" and "LBRACE" in place.expected):
        return None
    start, size = place.start, len(place.word)
    message = f"`{place.word}` is no operator here"
    free = place.text[place.end : place.end + 1] in (" ", "\t")
    room = size if len(ours) <= size else size + free
    edits = (Edit(start, padded(ours, room)),) if len(ours) <= room else ()
    label = f"meant as `{ours}`?"
    cure = (ours, SAFE)
    return Mistake("S101", (start, place.end), message, label, _to_write(place.word), cure, edits)


def _broken_operator(place: Place) -> Mistake | None:
    """The second half of an operator that we write otherwise: `===`, `<>`, `=<`."""
    before = place.before[-2:]
    for sign, ours in (("===", "=="), ("!==", "!="), ("<>", "!="), ("&&&", "&&"), ("|||", "||")):
        if place.word == sign[-1] and before.endswith(sign[:-1]):
            start = place.start - len(sign) + 1
            span, edits = (start, place.start + 1), (Edit(start, padded(ours, len(sign))),)
            message, label = f"`{sign}` is no operator here", f"meant as `{ours}`?"
            return Mistake("S101", span, message, label, f"write `{ours}`", (ours, SAFE), edits)
    return None


def _minus(place: Place) -> Mistake | None:
    if place.word != "-" or "PLUS" not in place.expected or "RELOP" in place.expected:
        return None
    help_ = "turn the scorer round and add it: `scorer idle = 1.0 - endpoint.kv_cache`"
    span, edits = (place.start, place.end), (Edit(place.start, "+"),)
    return Mistake("S101", span, "scores are only added up", "no `-` here", help_, None, edits)


HABITS: tuple[Callable[[Place], Mistake | None], ...] = (
    _quote, _quantity, _comment, _not, _if, _broken_operator, _operator, _minus,
)  # fmt: skip
