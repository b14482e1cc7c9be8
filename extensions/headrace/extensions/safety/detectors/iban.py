"""International bank account numbers: by each country's length and the remainder by 97."""

import re

from headrace.extensions.safety.detectors.detector import SPLIT, Detector, is_word
from headrace.extensions.safety.shape import any_word, chars, many, maybe, then

# Source: the IBAN registry of SWIFT, ISO 13616.
LENGTHS = {
    code: int(length)
    for length, codes in {
        "15": "NO",
        "16": "BE",
        "18": "DK FI FK FO GL NL SD",
        "19": "MK SI",
        "20": "AT BA EE KZ LT LU MN XK",
        "21": "CH HR LI LV",
        "22": "BG BH CR DE GB GE IE ME RS",
        "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG",
        "25": "LY PT ST",
        "26": "IS TR",
        "27": "BI DJ FR GR IT MC MR SM",
        "28": "AL AZ BY CY DO GT HN HU LB NI PL SV",
        "29": "BR EG PS QA UA",
        "30": "JO KW MU YE",
        "31": "MT SC",
        "32": "LC",
        "33": "RU",
    }.items()
    for code in codes.split()
}
CHARS_MAX = 2 * 34
VALUES = {char: str(value) for value, char in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}


def is_iban(text: str) -> bool:
    """Return whether *text*, without what splits it, is an IBAN."""
    text = text.upper()
    moved = text[4:] + text[:4]
    return (
        LENGTHS.get(text[:2]) == len(text)
        and int("".join([VALUES[char] for char in moved])) % 97 == 1
    )


_SHAPE = then(
    any_word(" ".join(LENGTHS)),
    maybe(chars(SPLIT, 1, 1)),
    chars("[0-9]", 2, 2),
    many(then(maybe(chars(SPLIT, 1, 1)), chars("[0-9A-Za-z]", 1, 1)), 8, 8),
)
_REST = re.compile(rb"(?:[ .\-\x02]?[0-9A-Za-z])*")


def _check(data: bytes, start: int, end: int) -> tuple[int, int] | int:
    length = LENGTHS[data[start : start + 2].upper().decode()]
    place = _REST.match(data, start, start + CHARS_MAX)
    assert place is not None, "nothing is a rest too"
    text = ""
    for at in range(start, place.end()):
        char = chr(data[at])
        text += char if char.isalnum() else ""
        if len(text) == length:
            is_apart = not is_word(data[at + 1 : at + 2])
            return (start, at + 1) if is_apart and is_iban(text) else start + 1
    return start + 1


IBAN = Detector(
    "iban", _SHAPE, _check, CHARS_MAX, after="(?:[ .\\-\\x02]?[0-9A-Za-z])*[ .\\-\\x02]?"
)
