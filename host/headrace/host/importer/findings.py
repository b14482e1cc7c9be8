"""What became of each part of a configuration."""

from dataclasses import dataclass
from enum import Enum


class Grade(Enum):
    """How much of a part is in the policy."""

    EXACT = "exact"  # the same formula or rule
    HOST = "host"  # the host does it anyway; nothing to write
    NEAR = "near"  # something close stands in for it
    LEFT = "left"  # nothing stands in for it


EXPRESSED = frozenset({Grade.EXACT, Grade.HOST})


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one part.

    where  e.g. ``plugin `queue-scorer` ``
    line   of the configuration, from 1
    what   what is or is not expressed; empty if there is nothing to say
    cure   what to do about it; empty if there is nothing to do
    """

    grade: Grade
    where: str
    line: int
    what: str = ""
    cure: str = ""

    @property
    def expressed(self) -> bool:
        return self.grade in EXPRESSED

    def sentence(self) -> str:
        """Return *what* and *cure* as one text."""
        return f"{self.what}; {self.cure}" if self.what and self.cure else self.what or self.cure
