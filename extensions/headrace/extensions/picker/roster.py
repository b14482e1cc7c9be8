"""Who is in a pool, and which of them changed when. Not what they are like: see `snapshot`."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from xxhash import xxh3_64_intdigest

CHANGES_MIN = 256  # what a small pool remembers; a large one remembers a change per endpoint


@dataclass(slots=True)
class Roster:
    """The addresses of a pool by position, fixed, and a bounded log of changes, growing.

    Written by the one writer of the pool. Whoever has seen the pool at one version asks
    what changed until another, and so need not look at endpoints that did not change.
    """

    addresses: tuple[str, ...] = ()
    positions: dict[str, int] = field(default_factory=dict[str, int])
    version: int = 0
    _changes: list[int] = field(default_factory=list[int], repr=False)
    _forgotten: int = 0
    _salts: list[float] = field(default_factory=list[float], repr=False)

    @classmethod
    def of(cls, addresses: Sequence[str]) -> "Roster":
        """Return the roster of *addresses*, which must differ."""
        positions = {address: i for i, address in enumerate(addresses)}
        assert len(positions) == len(addresses), "an address twice in a pool"
        return cls(tuple(addresses), positions)

    @property
    def salts(self) -> list[float]:
        """Per endpoint a number in [0, 1) that depends on its address alone."""
        if not self._salts:
            hashes = [xxh3_64_intdigest(a.encode("utf-8", "surrogatepass")) for a in self.addresses]
            self._salts = [(h >> 11) / 2.0**53 for h in hashes]
        return self._salts

    def changed(self, position: int, *, counts_only: bool) -> None:
        """Note that the endpoint at *position* changed, perhaps in nothing but our own counts."""
        self.version += 1
        self._changes.append(2 * position + (not counts_only))
        kept = max(CHANGES_MIN, len(self.addresses))
        if len(self._changes) >= 2 * kept:
            del self._changes[:kept]
            self._forgotten += kept

    def between(self, version: int, until: int) -> list[int] | None:
        """Return what changed from *version* to *until*: twice the position, plus 1.

        Without the 1, only our own counts changed. None if that is forgotten.
        """
        if version < self._forgotten:
            return None
        return self._changes[version - self._forgotten : until - self._forgotten]
