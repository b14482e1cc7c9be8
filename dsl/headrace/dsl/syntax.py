"""Say what is wrong with a text that does not fit the grammar, in the author's words."""

import re
from dataclasses import dataclass

from headrace.dsl import later
from headrace.dsl.blocks import BLOCKS, Block
from headrace.dsl.diagnostic import Problems
from headrace.dsl.grammar import Misfit
from headrace.dsl.source import Span
from headrace.dsl.suggest import did_you_mean

SETTINGS = {
    "pool": ("endpoints", "metrics", "stale after", "adapters up to", "profile"),
    "model": ("priority", "route", "adapter of", "profile"),
    "class": ("priority", "profile", "also"),
    "profile": ("require", "prefer", "score", "pick", "else profile"),
    "overload": ("shed when",),
    "guard": ("patterns", "on match"),
}
_WORDS = {
    "LBRACE": "`{`", "RBRACE": "`}`", "LPAR": "`(`", "RPAR": "`)`", "LSQB": "`[`", "RSQB": "`]`",
    "COMMA": "`,`", "COLON": "`:`", "DOT": "`.`", "EQUAL": "`=`", "STAR": "`*`", "PLUS": "`+`",
    "QMARK": "`?`", "INT": "a whole number", "SINT": "a whole number", "NUMBER": "a weight",
    "STRING": "a string", "NAME": "a name", "IDENT": "a name", "DURATION": "a duration like `2s`",
    "SHARE": "a share like `90%`", "$END": "the end of the block",
}  # fmt: skip
_VALUE = frozenset(("FLOAT", "TRUE", "FALSE", "NULL", "SIZE", "PERCENT", "LPAR", "LSQB", "LBRACE"))
_OPERATOR = frozenset(
    ("RELOP", "ADDOP", "MULOP", "IN", "DOT", "QMARK", "LSQB", "__ANON_0", "__ANON_1")
)
_RUN = re.compile(r"[\w.]+")
_WORD = re.compile(r"[\w-]+|\S")
_QUANTITY = re.compile(r"(\d[\d_]*(?:\.\d+)?)([A-Za-z_]+)")
_SOUND_UNITS = frozenset(
    (
        "ns",
        "us",
        "ms",
        "s",
        "min",
        "h",
        "d",
        "B",
        "KB",
        "KiB",
        "MB",
        "MiB",
        "GB",
        "GiB",
        "TB",
        "TiB",
    )
)
_UNITS = {
    "m": "minutes are `{0}min`; milli does not exist",
    "sec": "seconds are `{0}s`",
    "secs": "seconds are `{0}s`",
    "seconds": "seconds are `{0}s`",
    "minutes": "minutes are `{0}min`",
    "mins": "minutes are `{0}min`",
    "hours": "hours are `{0}h`",
    "u": "there is no unsigned int: write `{0}`",
    "k": "write the number out, `{0}_000`; a size is `{0}KB` or `{0}KiB`",
    "K": "write the number out, `{0}_000`; a size is `{0}KB` or `{0}KiB`",
    "M": "write the number out, `{0}_000_000`; a size is `{0}MB` or `{0}MiB`",
    "G": "a size is `{0}GB` or `{0}GiB`",
    "kb": "a size is `{0}KB` or `{0}KiB`",
    "mb": "a size is `{0}MB` or `{0}MiB`",
}


@dataclass(frozen=True, slots=True)
class _Place:
    """The word at which a block stops fitting. *span* is inside the block, never empty space."""

    block: Block
    word: str
    span: Span
    misfit: Misfit


def explain(block: Block, misfit: Misfit, problems: Problems) -> None:
    """Add the one diagnostic that fits the *misfit* in *block* best."""
    place = _place(block, misfit)
    if not place.word and not block.closed:
        _never_closed(block, problems)
    elif place.word[:1] in ("'", '"') and not misfit.expected & {"$END"}:
        _string(place, problems)
    elif not (_quantity(place, problems) or _later(place, problems) or _setting(place, problems)):
        _unexpected(place, problems)


def unknown_block(block: Block, problems: Problems) -> None:
    """Add what is wrong with a block whose opening word is none of ours."""
    start = block.span.start
    text = block.keyword or (_WORD.match(block.span.text) or [""])[0]
    span = Span(block.span.source, start, start + len(text))
    if block.keyword in later.LATER_BLOCKS:
        cure = later.LATER_BLOCKS[block.keyword]
        message = f"`{block.keyword}` does not exist yet"
        problems.add("S108", span, message, "part of a later edition", cure)
        return
    help_ = did_you_mean(text, BLOCKS, "a block starts with")
    problems.add("S103", span, f"`{text}` does not start a block", "expected a block here", help_)


def _place(block: Block, misfit: Misfit) -> _Place:
    text, at = block.span.text, misfit.at
    while at > 0 and at < len(text) and _is_word(text[at]) and _is_word(text[at - 1]):
        at -= 1
    digits = re.compile(r"[\d_]+\.$").search(text, max(0, at - 40), at)
    if digits and text[at : at + 1].isalnum():
        at = digits.start()
    run = _RUN.match(text, at) if text[at : at + 1].isdigit() else _WORD.match(text, at)
    end = run.end() if run else at
    return _Place(block, text[at:end], block.span.inner(at, end), misfit)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _never_closed(block: Block, problems: Problems) -> None:
    at = block.span.text.find("{")
    at = max(at, 0)
    message = f"the `{block.keyword}` block is never closed"
    problems.add("S106", block.span.inner(at, at + 1), message, "opened here", "add a `}`")


def _string(place: _Place, problems: Problems) -> None:
    text = place.span.source.text
    end = text.find("\n", place.span.start)
    line = text[place.span.start : len(text) if end < 0 else end].rstrip()
    quote = place.word[0]
    if line.count(quote) > 1:
        _unexpected(place, problems)
        return
    span = Span(place.span.source, place.span.start, place.span.start + len(line))
    help_ = f"end it with `{quote}` on the same line"
    problems.add("S107", span, "this string is never closed", "starts here", help_)


def _quantity(place: _Place, problems: Problems) -> bool:
    found = _QUANTITY.fullmatch(place.word)
    if found is None:
        return False
    number, unit = found.groups()
    if unit in _SOUND_UNITS:
        return False  # the quantity is sound, its place is not
    hint = _UNITS.get(unit, "durations: `ns us ms s min h d`; sizes: `B KB KiB MB MiB GB GiB`")
    message = f"`{place.word}` has no unit that exists here"
    if unit == "m":
        message = f"`{place.word}` is ambiguous: some read minutes, some milli"
    problems.add("S105", place.span, message, "which unit?", hint.format(number))
    return True


def _later(place: _Place, problems: Problems) -> bool:
    cure = later.LATER_SETTINGS.get((place.block.keyword, place.word))
    if cure is None or not place.misfit.expected & {"RBRACE", "LBRACE", "MATCH", "MAX", "LOG"}:
        return False
    message = f"`{place.word}` in `{place.block.keyword}` does not exist yet"
    problems.add("S108", place.span, message, "part of a later edition", cure)
    return True


def _setting(place: _Place, problems: Problems) -> bool:
    """Whether a word stands where a setting should, and is none of this block."""
    known = SETTINGS.get(place.block.keyword)
    if (
        known is None
        or "RBRACE" not in place.misfit.expected
        or not _is_word(place.word[:1] or " ")
    ):
        return False
    firsts = {setting.split()[0] for setting in known}
    if place.word in firsts or not firsts & {t.lower() for t in place.misfit.expected}:
        return False
    kind = place.block.keyword
    near = did_you_mean(place.word, firsts)
    label = near if near else "not a setting"
    help_ = f"`{kind}` can say: {', '.join(known)}"
    problems.add("S102", place.span, f"unknown setting `{place.word}` in `{kind}`", label, help_)
    return True


def _unexpected(place: _Place, problems: Problems) -> None:
    expected = _in_words(place.misfit.expected)
    label = f"expected {expected}" if expected else "cannot go on from here"
    if place.word:
        problems.add("S101", place.span, f"unexpected `{place.word}`", label, _hint(place))
        return
    last = max(place.misfit.at, 1)
    span = place.block.span.inner(last - 1, last)
    message = f"the `{place.block.keyword}` block ends too early"
    problems.add("S101", span, message, f"{label} after this", _hint(place))


def _hint(place: _Place) -> str:
    """Return the cure for the mistakes that other languages teach."""
    expected = place.misfit.expected
    before = place.block.span.text[: place.span.start - place.block.span.start].split()
    if before and before[-1].lower() == "not":
        return "write `!` for not"
    match place.word:
        case ";" | ",":
            return "settings and blocks need nothing between them: leave it out"
        case "=" if "RELOP" in expected:
            return "to compare write `==`"
        case "and" | "AND" if "RELOP" in expected:
            return "write `&&`"
        case "or" | "OR" if "RELOP" in expected:
            return "write `||`"
        case "&" | "|" if "RELOP" in expected:
            return f"write `{place.word * 2}`"
        case ":" | "=" if "LBRACE" in expected or "STRING" in expected:
            return "a setting is a word and its value, without a sign between them"
        case "-" if "PLUS" in expected:
            return "scores are only added up: `score 3 * prefix + 2 * kv_free`"
        case "%":
            return "a share names its pool after `to`: `90% to gemma`"
        case _:
            return ""


def _in_words(expected: frozenset[str]) -> str:
    """Return the terminals that would fit as an English list, operands and operators as one."""
    rest, words = set(expected), list[str]()
    if rest >= _VALUE:
        rest -= _VALUE | {"IDENT", "INT", "STRING", "DURATION", "BANG", "MINUS"}
        words.append("an expression")
    if "RELOP" in rest:
        rest -= _OPERATOR | {"LPAR"}
        words.append("an operator")
    words += sorted({_WORDS.get(name, f"`{name.lower()}`") for name in rest})
    if len(words) > 8:
        return ""
    return (
        words[0]
        if len(words) == 1
        else " or ".join((", ".join(words[:-1]), *words[-1:]))
        if words
        else ""
    )
