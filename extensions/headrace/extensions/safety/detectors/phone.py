"""Telephone numbers: E.164 with a country's code, forms of nations, digits behind a word for it."""

import re

from headrace.extensions.safety.detectors.detector import DIGIT, Detector, digits_of, is_word
from headrace.extensions.safety.shape import any_word, chars, either, many, maybe, then, word

# Source: ITU-T E.164, list of assigned country codes.
COUNTRY = re.compile(
    rb"1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"
    rb"|2[1234569]\d|35\d|3[78]\d|42\d|5[09]\d|6[789]\d|80\d|85\d|87\d|88\d|96\d|97\d|99\d"
)
# What only looks like it: days, the year first or last, and the form of social security numbers.
OTHER = re.compile(
    rb"\d{1,2}([./\- ])\d{1,2}\1(19|20)\d\d|(19|20)\d\d([./\- ])\d{1,2}\4\d{1,2}"
    rb"|\d{3}[ \-]\d\d[ \-]\d{4}$"
)
NORTH_AMERICAN = 10  # digits without the country's code
CHARS_MAX = 64

_GAP = "[ .()/\\-\\x02]"
_STEP = "[ .\\-\\x02]"
_DIGIT = chars(DIGIT, 1, 1)
_MORE = then(chars(_GAP, 0, 2), _DIGIT)
_WORLD = then(either(word("+"), word("00")), many(_MORE, 7, 7))
_AREA = then(chars("[2-9]", 1, 1), chars(DIGIT, 2, 2))
_AMERICA = then(
    maybe(then(word("1"), chars(_STEP, 1, 1))),
    either(then(word("("), _AREA, word(")"), chars(_STEP, 0, 1)), then(_AREA, chars(_STEP, 1, 1))),
    _AREA,
    chars(_STEP, 1, 1),
    chars(DIGIT, 4, 4),
)
_TRUNK = then(
    maybe(word("(")),
    word("0"),
    chars("[1-9]", 1, 1),
    chars(DIGIT, 0, 4),
    maybe(word(")")),
    chars("[ .\\-/\\x02]", 1, 2),
    chars(DIGIT, 2, 2),
)
_MOBILE = either(
    then(word("07"), chars(DIGIT, 9, 9)),
    then(word("01"), chars("[567]", 1, 1), chars(DIGIT, 8, 9)),
    then(word("0"), chars("[67]", 1, 1), chars(DIGIT, 8, 8)),
)
_NAME = any_word("tel telephone phone mobile cell cellphone fax whatsapp")
_NAMED = then(
    _NAME,
    maybe(then(chars("[ _]", 1, 1), any_word("number no nr"))),
    chars("[ .:=#\"']", 1, 4),
    maybe(word("is ")),
    either(word("+"), word("("), _DIGIT),
    many(_MORE, 6, 6),
)
_REST = re.compile(rb"(?:[ .()/\-\x02]{0,2}\d)*")


def _check(data: bytes, start: int, end: int) -> tuple[int, int] | int:
    begin = start
    while data[begin] not in b"+(0123456789":
        begin += 1
    rest = _REST.match(data, end, start + CHARS_MAX)
    end = rest.end() if rest is not None else end
    named = begin > start
    if named and data[start - 1 : start].isalnum():
        return start + 1
    while end > begin:
        if _is_apart(data, begin, end, named) and _is_number(data[begin:end], named):
            is_open = data[begin : begin + 1] == b"(" and b")" not in data[begin:end]
            return begin + is_open, end
        end = _without_last_group(data, begin, end)
    return start + 1


def _is_apart(data: bytes, start: int, end: int, named: bool) -> bool:
    """Return whether the number is no part of a longer row of digits."""
    before, after = data[max(0, start - 2) : start], data[end : end + 2]
    is_tail = not named and (
        is_word(before[-1:])
        or before[-1:] == b"+"
        or (before[-1:] in (b".", b"-", b"/") and before[:1].isdigit())
    )
    goes_on = is_word(after[:1]) or (after[:1] in (b".", b"-", b"/") and after[1:].isdigit())
    return not is_tail and not goes_on


def _is_number(text: bytes, named: bool) -> bool:
    digits = digits_of(text)
    if OTHER.match(text):
        return False
    if text.startswith(b"+"):
        return _is_international(digits)
    if text.startswith(b"00"):
        country = COUNTRY.match(digits[2:])
        is_split = country is not None and not text[2 + country.end() :][:1].isdigit()
        return is_split and _is_international(digits[2:])
    if named and 7 <= len(digits) <= 15:
        return True
    if text.startswith((b"0", b"(0")):
        return 9 <= len(digits) <= 12
    return len(digits) == NORTH_AMERICAN + digits.startswith(b"1")


def _is_international(digits: bytes) -> bool:
    if digits.startswith(b"1"):
        return len(digits) == 1 + NORTH_AMERICAN and digits[1] not in b"01"
    return 8 <= len(digits) <= 15 and COUNTRY.match(digits) is not None


def _without_last_group(data: bytes, begin: int, end: int) -> int:
    while end > begin and data[end - 1 : end].isdigit():
        end -= 1
    while end > begin and not data[end - 1 : end].isdigit():
        end -= 1
    return end


PHONE = Detector(
    "phone",
    either(_NAMED, _WORLD, _AMERICA, _TRUNK, _MOBILE),
    _check,
    CHARS_MAX,
    edge="",
    after="(?:[ .()/\\-\\x02]{0,2}[0-9])*[ .()/\\-\\x02]{0,2}",
)
