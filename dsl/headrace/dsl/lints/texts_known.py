"""What is known of one text on the way through a condition."""

import itertools
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts that are left.

    only   these, if it is not None
    never  not these
    tests  `startsWith`, `endsWith` or `contains`, its argument, and what it gave
    """

    only: frozenset[str] | None = None
    never: frozenset[str] = frozenset()
    tests: tuple[tuple[str, str, bool], ...] = ()

    def among(self, texts: frozenset[str], truth: bool) -> "Texts":
        """Return what is left if it *truth* is one of *texts*."""
        if not truth:
            return replace(self, never=self.never | texts)
        return replace(self, only=texts if self.only is None else self.only & texts)

    def tested(self, test: str, text: str, truth: bool) -> "Texts":
        """Return what is left if that test gave *truth*."""
        return replace(self, tests=(*self.tests, (test, text, truth)))

    @property
    def possible(self) -> bool:
        """Whether any text can be left; True if that is not known."""
        if self.only is not None:
            return any(self.fits(text) for text in self.only)
        heads = sorted(text for test, text, truth in self.tests if truth and test == "startsWith")
        tails = sorted(
            text[::-1] for test, text, truth in self.tests if truth and test == "endsWith"
        )
        clash = any((t, x, False) in self.tests for t, x, truth in self.tests if truth)
        return not clash and _nested(heads) and _nested(tails)

    def fits(self, text: str) -> bool:
        """Return whether *text* is not excluded."""
        if text in self.never or (self.only is not None and text not in self.only):
            return False
        return all(_passes(text, test, other) is truth for test, other, truth in self.tests)

    def example(self) -> str:
        """Return a text that fits, if a simple one does; else one that does not."""
        tests = self.tests
        head = max((x for t, x, ok in tests if ok and t == "startsWith"), key=len, default="")
        tail = max((x for t, x, ok in tests if ok and t == "endsWith"), key=len, default="")
        inner = "".join(x for t, x, ok in tests if ok and t == "contains")
        usual = ("", "a", "b", head, tail, f"{head}{inner}{tail}", f"{head}{inner}-{tail}")
        tried = sorted(self.only) if self.only is not None else usual
        return next((text for text in tried if self.fits(text)), "")


def _passes(text: str, test: str, other: str) -> bool:
    match test:
        case "startsWith":
            return text.startswith(other)
        case "endsWith":
            return text.endswith(other)
        case _:
            return other in text


def _nested(heads: list[str]) -> bool:
    """Return whether one text can begin with all of *heads*, which are sorted."""
    return all(longer.startswith(head) for head, longer in itertools.pairwise(heads))
