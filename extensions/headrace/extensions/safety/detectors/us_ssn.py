"""Social security numbers of the United States."""

from headrace.extensions.safety.detectors.detector import DIGIT, Detector, digits_of, is_word
from headrace.extensions.safety.shape import any_word, chars, either, many, maybe, then, word

# Printed as a specimen again and again, and void. Source: Social Security Administration.
VOID = frozenset({b"078051120", b"219099999"})

_SPLIT = "[ \\-\\x02]"
_NUMBER = then(
    chars(DIGIT, 3, 3),
    chars(_SPLIT, 1, 1),
    chars(DIGIT, 2, 2),
    chars(_SPLIT, 1, 1),
    chars(DIGIT, 4, 4),
)
_NAME = either(
    any_word("ssn ss#"),
    then(
        any_word("social"),
        chars("[ _\\-]", 1, 1),
        any_word("security"),
        maybe(then(chars("[ _\\-]", 1, 1), any_word("number no nr num"))),
    ),
)
# Nine digits alone are anything; after its name they are one.
_NAMED = then(_NAME, chars("[ :=#.\"'_]", 0, 4), maybe(word("is ")), many(chars(DIGIT, 1, 1), 9, 9))


def is_ssn(digits: bytes) -> bool:
    """Return whether *digits* can be a number that was issued.

    Source: the administration's rules since 2011: no area 000, 666 or 900 and above, no group
    00, no serial 0000.
    """
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return (
        len(digits) == 9
        and area not in (b"000", b"666")
        and area < b"900"
        and group != b"00"
        and serial != b"0000"
        and digits not in VOID
    )


def _check(data: bytes, start: int, end: int) -> tuple[int, int] | int:
    first = start
    if not data[start : start + 1].isdigit():
        first = end - 9
    elif (
        is_word(data[start - 1 : start])
        or data[start + 3] != data[start + 6]
        or _goes_on(data, start, end)
    ):
        return start + 1
    is_apart = not is_word(data[end : end + 1])
    return (first, end) if is_apart and is_ssn(digits_of(data[first:end])) else start + 1


def _goes_on(data: bytes, start: int, end: int) -> bool:
    """Return whether the groups are of a longer row of groups, as of an article's number."""
    split = data[start + 3 : start + 4]
    before, after = data[max(0, start - 2) : start], data[end : end + 2]
    return (before[1:] == split and before[:1].isdigit()) or (
        after[:1] == split and after[1:].isdigit()
    )


US_SSN = Detector("us_ssn", either(_NUMBER, _NAMED), _check, 48, edge="", after=_SPLIT)
