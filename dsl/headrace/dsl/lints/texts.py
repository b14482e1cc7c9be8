"""How a policy is written: S319 (which unit?), S320 (a number thrice), S321 (odd characters)."""

import re
from collections import defaultdict
from collections.abc import Iterator

from headrace.dsl.cel.typed import Op, Typed
from headrace.dsl.lints.subject import Subject
from headrace.dsl.lints.terms import key, parts
from headrace.dsl.problems.diagnostic import Applicability, Fix, Problems, Related
from headrace.dsl.source import Source, Span
from headrace.dsl.syntax.blocks import comments

# Characters that make text appear in another order than it is read in.
_BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_UNSEEN = re.compile("(?<=[!-~])[\u00ad\u200b-\u200d\u2060\ufeff]+(?=[!-~])")
# Letters of other scripts that look like these. Source: Unicode TR39, the whole-letter ones.
_LOOKS_LIKE = dict(
    zip(
        "авеѕіјорсухһԁԛԝАВЕЅІЈКМНОРСТХУοαρνΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
        "abesijopcyxhdqwABESIJKMHOPCTXYoapvABEZHIKMNOPTYX",
        strict=True,
    )
)
_WORD = re.compile(r"[^\W\d_]+(?:[\w-]*[^\W_])?")
_SIZE = re.compile(r"(\d+)([KMGT])B")
_OFTEN = 3
_USUAL = (0, 1, 2, 0.5, 1.0, 100)  # numbers that mean nothing by themselves


def bidirectional(source: Source, problems: Problems) -> None:
    """Warn of the first character that changes what text seems to say."""
    found = _BIDI.search(source.text)
    if found is not None:
        span = Span(source, found.start(), found.end())
        message = f"an invisible character (U+{ord(found.group()):04X}) turns the text round"
        problems.add("S321", span, message, "here", "remove it: the text does not read as it looks")
    unseen = _UNSEEN.search(source.text)
    if unseen is not None:
        span = Span(source, unseen.start(), unseen.end())
        message = f"an invisible character (U+{ord(unseen.group()[0]):04X}) stands in this word"
        fix = Fix(span, "", Applicability.MAYBE)
        problems.add("S321", span, message, "here", "remove it: it makes another word", fix=fix)
    if not source.text.isascii():
        _confusable(source, problems)


def _confusable(source: Source, problems: Problems) -> None:
    """Warn of the first word, not in a comment, that mixes letters which look alike."""
    if not any(char in _LOOKS_LIKE for char in source.text):
        return
    ignored = [(c.start(), c.end()) for c in comments(source.text)]
    for found in _WORD.finditer(source.text):
        odd = next((i for i, c in enumerate(found.group()) if c in _LOOKS_LIKE), None)
        latin = re.search("[A-Za-z]", found.group())
        if odd is None or latin is None:
            continue
        if any(start <= found.start() < end for start, end in ignored):
            continue
        char, at = found.group()[odd], found.start() + odd
        message = f"a letter here (U+{ord(char):04X}) only looks like `{_LOOKS_LIKE[char]}`"
        help_ = "type the word again: no header or name that is typed will ever equal it"
        fix = Fix(Span(source, at, at + 1), _LOOKS_LIKE[char], Applicability.MAYBE)
        problems.add("S321", Span(source, at, at + 1), message, "not Latin", help_, fix=fix)
        return


def numbers(subject: Subject) -> None:
    """Note sizes that may mean another unit, and bounds that are written again and again."""
    rules = [rule.typed for rule in subject.program.rules if rule.typed is not None]
    found: dict[tuple[str, int], tuple[str, Typed]] = {}
    for typed in (*rules, *subject.rules.lets.values()):
        for about, bound in _bounds(typed):
            found[bound.span.source.name, bound.span.start] = about, bound
    _thrice(list(found.values()), subject.problems)
    for _, constant in found.values():
        _decimal(constant.span, subject.problems)


def _bounds(typed: Typed) -> Iterator[tuple[str, Typed]]:
    """Yield the constants that something is compared with, and what that is."""
    for part in parts(typed):
        if part.op is Op.COMPARE:
            for one, other in (part.args, part.args[::-1]):
                if one.reads and _is_literal(other):
                    yield key(one), other


def _is_literal(typed: Typed) -> bool:
    """Return whether *typed* is a number that is written here, and not the name of one."""
    return typed.op is Op.CONST and typed.span.text[:1].isdigit()


def _thrice(bounds: list[tuple[str, Typed]], problems: Problems) -> None:
    groups = defaultdict[tuple[str, object], list[Span]](list)
    for about, bound in bounds:
        if bound.value not in _USUAL:
            groups[about, bound.value].append(bound.span)
    for spans in groups.values():
        if len(spans) < _OFTEN:
            continue
        first, *others = sorted(spans, key=lambda s: (s.source.name, s.start))
        related = tuple(Related(span, "again") for span in others[:4])
        message = f"`{first.text}` is written {len(spans)} times for the same thing"
        help_ = f"give it a name: `let limit = {first.text}`"
        problems.add("S320", first, message, "and again", help_, related)


def _decimal(span: Span, problems: Problems) -> None:
    """Note a size in a decimal unit whose number is one of the powers of two people know."""
    found = _SIZE.fullmatch(span.text)
    if found is None:
        return
    number, scale = int(found[1]), found[2]
    if number < 64 or number & (number - 1):
        return
    power = "KMGT".index(scale) + 1
    message = f"`{span.text}` is {number * 1000**power:_} bytes: `{scale}B` counts in thousands"
    fix = Fix(span, f"{number}{scale}iB", Applicability.MAYBE)
    help_ = f"if the power of two is meant write `{number}{scale}iB`"
    problems.add("S319", span, message, "which one?", help_, fix=fix)
