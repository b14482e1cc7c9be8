"""Whether the messages of one publisher are all there: pure, by their numbers."""

from dataclasses import dataclass
from enum import Enum

REPLAYED_MAX = 10_000  # messages of one replay: what vLLM keeps by default


class Next(Enum):
    """What a message's number says of it."""

    EXPECTED = "expected"
    GAP = "gap"  # some before it are missing
    KNOWN = "known"  # it was replayed already
    RESTARTED = "restarted"  # its publisher counts from the start again


@dataclass(slots=True)
class Sequence:
    """The numbers of one publisher, which count up from 0. Written by whoever listens to it.

    expected  the next number
    """

    expected: int = 0
    _replayed: range = range(0)

    def judge(self, number: int) -> Next:
        """Return what *number* says of its message. Changes nothing."""
        if number == self.expected:
            return Next.EXPECTED
        if number > self.expected:
            return Next.GAP
        return Next.KNOWN if number in self._replayed else Next.RESTARTED

    def took(self, number: int) -> None:
        """Note that the message *number* was applied."""
        if number >= self.expected:
            self._replayed = range(0)
        self.expected = number + 1

    def replayed(self, numbers: range) -> None:
        """Note that the messages *numbers* were applied; they may yet come again, live."""
        self.expected = numbers.stop
        self._replayed = numbers
