"""What a detector is: the shape of a candidate and the check that it must pass."""

from collections.abc import Callable
from dataclasses import dataclass, field

from headrace.extensions.safety.shape import Shape

Check = Callable[[bytes, int, int], tuple[int, int] | int]
"""Looks at a candidate [start, end) of flat bytes.

Returns what is meant; or, if nothing is, from where to look for the next candidate. It may look
round the candidate: `LOOK_BACK` bytes before it, and behind it at what `Detector.after` says.
"""

DIGIT = "[0-9]"
SPLIT = "[ .\\-\\x02]"
"""What stands between groups of digits."""


@dataclass(frozen=True, slots=True)
class Detector:
    """Finds one kind of thing in flat bytes; see `flat`.

    The shape is as short as what makes a candidate; the check sees how far it goes on. For an
    expression that counts far is slow, and so is one that is matched again at every byte.

    edge       what must be at its beginning, an expression of no width
    after      what may go on behind the shape, or tell that it is none
    width_max  the longest that passes the check; a longer one does not
    """

    name: str
    shape: Shape = field(repr=False)
    check: Check = field(repr=False)
    width_max: int
    edge: str = "\\b"
    after: str = ""

    @property
    def whole(self) -> str:
        """The expression of a candidate."""
        return f"(?:{self.edge}{self.shape.whole})"

    @property
    def tail(self) -> str:
        """The expression of what could become a candidate, or be more of one."""
        after = f"|{self.shape.whole}(?:{self.after})" if self.after else ""
        return f"(?:{self.edge}(?:{self.shape.begun}{after}))"


def run_end(data: bytes, start: int, kind: bytes, most: int) -> int:
    """Return where the bytes of *kind* that begin at *start* end, after *most* at the latest."""
    part = data[start : start + most]
    return start + len(part) - len(part.lstrip(kind))


def is_word(byte: bytes) -> bool:
    """Return whether *byte*, or nothing, is an ASCII letter, a digit or an underscore."""
    return byte.isalnum() or byte == b"_"


def digits_of(data: bytes) -> bytes:
    """Return the digits in *data*."""
    return bytes(byte for byte in data if 48 <= byte <= 57)
