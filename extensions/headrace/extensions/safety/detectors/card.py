"""Numbers of payment cards: by the brands' first digits and lengths, and Luhn's check digit."""

from headrace.extensions.safety.detectors.detector import (
    DIGIT,
    SPLIT,
    Detector,
    digits_of,
    is_word,
)
from headrace.extensions.safety.shape import Shape, chars, either, many, maybe, then

# Source: the ranges of issuers that the brands publish; (first, last) of the first digits.
BRANDS: tuple[tuple[str, str, frozenset[int]], ...] = (
    ("4", "4", frozenset({13, 16, 19})),  # Visa
    ("51", "55", frozenset({16})),  # Mastercard
    ("2221", "2720", frozenset({16})),
    ("34", "34", frozenset({15})),  # American Express
    ("37", "37", frozenset({15})),
    ("300", "305", frozenset({14, 16, 19})),  # Diners Club
    ("3095", "3095", frozenset({14, 16, 19})),
    ("36", "36", frozenset({14, 16, 19})),
    ("38", "39", frozenset({14, 16, 19})),
    ("3528", "3589", frozenset({16, 17, 18, 19})),  # JCB
    ("6011", "6011", frozenset({16, 17, 18, 19})),  # Discover
    ("644", "649", frozenset({16, 17, 18, 19})),
    ("65", "65", frozenset({16, 17, 18, 19})),
    ("62", "62", frozenset({16, 17, 18, 19})),  # UnionPay
    ("2200", "2204", frozenset({16, 17, 18, 19})),  # Mir
    ("50", "50", frozenset({16, 18, 19})),  # Maestro, RuPay
    ("56", "58", frozenset({16, 18, 19})),
    ("60", "69", frozenset({16, 18, 19})),
)
# Digit by digit, what twice the digit counts: 5 is 10 is 1.
TWICE = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
ONCE = bytes.maketrans(b"0123456789", bytes(range(10)))


def has_luhn(digits: bytes) -> bool:
    """Return whether the last of *digits* is the check digit of the others."""
    once = digits[::-2].translate(ONCE)
    twice = digits[-2::-2].translate(TWICE)
    return (sum(once) + sum(twice)) % 10 == 0


def is_card(digits: bytes) -> bool:
    """Return whether *digits* can be the number of a card."""
    text = digits.decode()
    return any(
        first <= text[: len(first)] <= last and len(digits) in lengths
        for first, last, lengths in BRANDS
    ) and has_luhn(digits)


def _groups(first: str, *sizes: int) -> Shape:
    """Return the shape of groups of digits; the first begins with *first*."""
    parts = [chars(first, 1, 1), chars(DIGIT, sizes[0] - 1, sizes[0] - 1)]
    for size in sizes[1:]:
        parts += [chars(SPLIT, 1, 3), chars(DIGIT, size, size)]
    return then(*parts)


SHAPE = either(
    then(
        _groups("[2-6]", 4, 4, 4, 4),
        maybe(then(chars(SPLIT, 1, 3), many(chars(DIGIT, 1, 1), 1, 3))),
    ),
    _groups("3", 4, 6, 5),
    _groups("3", 4, 6, 4),
    then(chars("[2-6]", 1, 1), chars(DIGIT, 12, 18)),
)


def _check(data: bytes, start: int, end: int) -> tuple[int, int] | int:
    if data[start - 1 : start] == b"." and data[start - 2 : start - 1].isdigit():
        return start + 1  # the digits behind a decimal point
    is_plain = data[start:end].isdigit()
    ends = (end,) if is_plain else (end, _without_last_group(data, end))
    for last in ends:
        follows = data[last : last + 2]
        is_decimal = is_plain and follows[:1] == b"." and follows[1:].isdigit()
        if not is_word(follows[:1]) and not is_decimal and is_card(digits_of(data[start:last])):
            return start, last
    return start + 1


def _without_last_group(data: bytes, end: int) -> int:
    while data[end - 1 : end].isdigit():
        end -= 1
    while not data[end - 1 : end].isdigit():
        end -= 1
    return end


CARD = Detector("card", SHAPE, _check, 19 + 4 * 3, after="\\.")
