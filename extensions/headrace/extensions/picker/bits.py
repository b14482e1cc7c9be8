"""Sets of endpoints as ints: the bit at a position says whether the endpoint there is in."""

from collections.abc import Iterable, Sequence


def mask_of(members: Iterable[bool]) -> int:
    """Return the bits of the positions at which *members* is true."""
    digits = "".join(["1" if member else "0" for member in members])
    return int(digits[::-1], 2) if digits else 0


def places_of(mask: int) -> list[int]:
    """Return the positions in *mask*, lowest first."""
    return [place for place, bit in enumerate(bin(mask)[:1:-1]) if bit == "1"]


def marked(mask: int, places: Sequence[int], members: Sequence[bool]) -> int:
    """Return *mask* with the bit at each of *places* as *members* says."""
    for place, member in zip(places, members, strict=True):
        if (mask >> place & 1) != member:
            mask ^= 1 << place
    return mask
