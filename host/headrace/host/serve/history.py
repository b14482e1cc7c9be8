"""The policies that served before, kept compiled, so that going back needs no file."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace.dsl.program import Program

KEPT_MAX = 5


@dataclass(frozen=True, slots=True)
class Reign:
    """One generation's time. *since_s* and *until_s* are Unix seconds."""

    program: Program = field(repr=False)
    number: int
    sources: Sequence[str]
    since_s: float
    until_s: float | None = None


class UnknownPolicy(Exception):
    """Nothing kept has that digest. The message says what is kept."""


@dataclass(slots=True)
class History:
    """The last reigns, oldest first. Written by the reloader."""

    kept: deque[Reign] = field(default_factory=lambda: deque[Reign](maxlen=KEPT_MAX))

    def find(self, digest: str) -> Reign:
        """Return the last reign of the policy whose digest begins with *digest*; empty: the last.

        Raises:
            UnknownPolicy: there is none, or several policies fit.
        """
        fitting = [reign for reign in self.kept if reign.program.digest.startswith(digest)]
        digests = {reign.program.digest for reign in fitting}
        if not fitting:
            known = ", ".join(dict.fromkeys(r.program.digest[:12] for r in self.kept)) or "none"
            wanted = f"no earlier policy `{digest[:64]}`" if digest else "no earlier policy"
            raise UnknownPolicy(f"{wanted} is kept; there is: {known}")
        if digest and len(digests) > 1:
            raise UnknownPolicy(f"several policies begin with `{digest[:64]}`: give more of it")
        return fitting[-1]
