"""Shapes of what is looked for: an expression, and beside it what begins like it.

A stream must know at every moment whether what it has could go on to be a match. So shapes
are built of parts that know both, and the two can never differ. Each is RE2 over bytes that
are one character each; see `flat`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """What matches *whole*, and *begun*: every beginning of it, from nothing to all of it."""

    whole: str
    begun: str


def word(text: str, any_case: bool = False) -> Shape:
    """Return the shape of *text* itself, of ASCII characters."""
    letters = [_one(char, any_case) for char in text]
    begun = ""
    for letter in reversed(letters):
        begun = f"(?:{letter}{begun})?"
    return Shape("".join(letters), begun)


def chars(one: str, least: int = 1, most: int | None = None) -> Shape:
    """Return the shape of *least* to *most* characters of the class *one*."""
    if most is None:
        return Shape(f"{one}{{{least},}}", f"{one}*")
    return Shape(f"{one}{{{least},{most}}}", f"{one}{{0,{most}}}")


def then(*shapes: Shape) -> Shape:
    """Return the shape of *shapes* one after the other."""
    begun = shapes[-1].begun
    for shape in reversed(shapes[:-1]):
        begun = f"(?:{shape.begun}|{shape.whole}{begun})"
    return Shape("".join(shape.whole for shape in shapes), begun)


def either(*shapes: Shape) -> Shape:
    """Return the shape of any of *shapes*; the first that matches counts."""
    whole = "|".join(shape.whole for shape in shapes)
    return Shape(f"(?:{whole})", f"(?:{'|'.join(shape.begun for shape in shapes)})")


def any_word(words: str) -> Shape:
    """Return the shape of one of *words*, which are separated by spaces, in any case."""
    return either(*(word(one, any_case=True) for one in words.split()))


def maybe(shape: Shape) -> Shape:
    """Return *shape* or nothing, rather *shape*."""
    return Shape(f"(?:{shape.whole})?", shape.begun)


def many(shape: Shape, least: int = 0, most: int | None = None) -> Shape:
    """Return *shape* again and again."""
    limit = "" if most is None else most
    whole = f"(?:{shape.whole}){{{least},{limit}}}"
    before = f"(?:{shape.whole}){{0,{'' if most is None else most - 1}}}"
    return Shape(whole, f"(?:{before}{shape.begun})")


def _one(char: str, any_case: bool) -> str:
    if any_case and char.isalpha():
        return f"[{char.lower()}{char.upper()}]"
    return char if char.isalnum() else f"\\x{ord(char):02x}"
