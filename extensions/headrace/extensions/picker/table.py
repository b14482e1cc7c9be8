"""What the rules of a profile say of the endpoints of a pool, kept up to date change by change.

One table is for one pool, one split of a profile's rules, and one value of the request's
inputs that these rules read. A decision asks it to come up to date, which costs what has
changed since the last one, and then finds the endpoints in order.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import NamedTuple

from headrace.dsl.program import RequestValues, RuleFault
from headrace.extensions.picker.alarms import Alarms
from headrace.extensions.picker.bits import marked, mask_of
from headrace.extensions.picker.snapshot import PoolState
from headrace.extensions.picker.staging import COUNTED, Keep, Split
from headrace.extensions.picker.subset import Subset, host_of, plain
from headrace.extensions.picker.values import Seen

REBUILD_RATIO = 0.25  # with more of the endpoints changed, doing all at once is cheaper
UNMATCHED = Seen()
UNKNOWN = -1  # older than any version of a roster

Key = tuple[float, float, int]  # rank (lower is better), tie value, place


class Kept(NamedTuple):
    """Which kept rules to evaluate, by their places in the split."""

    filters: Sequence[int]
    numbers: Sequence[int]


class Table:
    """Verdicts as bits, totals and an order. Written by `refresh` only.

    all     a bit per place
    passed  per kept filter a bit per place: it was true
    sign    1 if the lowest total wins, -1 if the highest
    bases   per place the sum of the kept terms, times the sign
    keys    per place what it ranks by if the prompt is cached nowhere
    order   the keys, best first
    """

    __slots__ = (
        "_alarms", "_concluded", "_counted", "_every", "_faults", "_faulty", "_kept", "_named",
        "_now_s", "_numbers", "_ready", "all", "bases", "keys", "order", "passed", "roster", "sign",
        "split", "version",
    )  # fmt: skip

    all: int
    bases: list[float]
    version: int
    _alarms: Alarms
    _now_s: float

    def __init__(
        self, split: Split, least: bool, pool: PoolState, request: RequestValues, now_s: float
    ) -> None:
        self.split = split
        self.sign = 1.0 if least else -1.0
        self.roster = pool.roster
        self._every = Kept(range(len(split.filters)), range(len(split.numbers)))
        self._counted = Kept(
            [i for i, f in enumerate(split.filters) if f.rule.reads & COUNTED],
            [i for i, n in enumerate(split.numbers) if n.rule.reads & COUNTED],
        )
        self._named: dict[str, int] | None = None
        self._build(pool, request, now_s)

    def refresh(self, pool: PoolState, request: RequestValues, now_s: float) -> None:
        """Come up to date with *pool*, which must not be older than what was seen, and *now_s*.

        A rule that crashes leaves the table half done, and so to be built anew next time.
        """
        version, self.version = self.version, UNKNOWN
        if self._alarms and now_s < self._now_s:
            self._build(pool, request, now_s)
            return
        self._now_s = now_s
        if pool.version != version:
            changes = self.roster.between(version, pool.version)
            if changes is None or len(changes) > 4 + REBUILD_RATIO * len(self.keys):
                self._build(pool, request, now_s)
                return
            whole = {change >> 1 for change in changes if change & 1}
            counts = {change >> 1 for change in changes if not change & 1} - whole
            if whole:
                self._update(sorted(whole), self._every, pool, request)
            if counts:
                self._update(sorted(counts), self._counted, pool, request)
        if self._alarms:
            due = self._alarms.due(now_s)
            if due:
                self._update(due, self._every, pool, request)
        self.version = pool.version

    @property
    def kept(self) -> int:
        """The bits of the endpoints that pass, if no filter is live."""
        if not self._concluded:
            self._conclude()
        return self._kept

    @property
    def faulty(self) -> int:
        """The bits of the endpoints at which a kept filter or term failed."""
        if not self._concluded:
            self._conclude()
        return self._faulty

    def able(self, mask: int) -> int:
        """Return the ready ones of *mask*: if none is, all of them."""
        return mask & self._ready or mask

    def passing(self, mask: int) -> int:
        """Return which of *mask* pass the filters, of which none is live."""
        kept = self.able(mask)
        for i, filtering in self.split.steps:
            both = kept & self.passed[i]
            kept = both or (kept if filtering.prefer else 0)
        return kept

    def _conclude(self) -> None:
        """Work out what follows from the verdicts."""
        self._kept = self.passing(self.all) if self.split.still else 0
        self._faulty = 0
        for faults in self._faults[: len(self._faults) - self.split.ties_kept]:
            self._faulty |= faults
        self._concluded = True

    def mask_of(self, subset: Subset) -> int:
        """Return the bits of the endpoints in *subset*."""
        mask = 0
        if self._named is None:
            self._named = {}
            for place, address in enumerate(self.roster.addresses):
                short = plain(address)
                for name in (short, host_of(short)):
                    self._named[name] = self._named.get(name, 0) | 1 << place
        for names in (subset.exact, subset.hosts):
            for name in names:
                mask |= self._named.get(name, 0)
        return mask

    def _build(self, pool: PoolState, request: RequestValues, now_s: float) -> None:
        """Evaluate everything."""
        split, es = self.split, pool.endpoints
        self._now_s = now_s
        self.all = (1 << len(es)) - 1
        self._ready = mask_of([e.ready for e in es])
        self.passed: list[int] = []
        self._faults: list[int] = []
        for rule in split.filters:
            column = rule.column(es, request, pool, now_s)
            verdicts = [v is True for v in column]
            self.passed.append(mask_of(verdicts))
            self._faults.append(_fault_mask(column, verdicts))
        self._numbers: list[list[float]] = []
        for number in split.numbers:
            asked = UNMATCHED if number.keep is Keep.UNMATCHED else request
            raw = number.column(es, asked, pool, now_s)
            values = number.values(raw)
            self._numbers.append(values)
            self._faults.append(_fault_mask(raw, values))
        # The sign is in the weights: -(a + b) is (-a) + (-b) to the last bit.
        ranks = [0.0] * len(es)
        for i, weight in split.added:
            w = self.sign * weight
            ranks = [r + w * v for r, v in zip(ranks, self._numbers[i], strict=True)]
        self.bases = ranks
        for i, weight in split.added_unmatched:
            w = self.sign * weight
            ranks = [r + w * v for r, v in zip(ranks, self._numbers[i], strict=True)]
        ties = self._numbers[-1] if split.ties_kept else [0.0] * len(es)
        self.keys: list[Key] = list(zip(ranks, ties, range(len(es)), strict=True))
        self.order = sorted(self.keys)
        self._alarms = Alarms(split.ages_s, es, now_s)
        self._concluded = False
        self.version = pool.version

    def _update(
        self, places: Sequence[int], kept: Kept, pool: PoolState, request: RequestValues
    ) -> None:
        """Evaluate the *kept* rules anew at *places*."""
        split, now_s = self.split, self._now_s
        es = [pool.endpoints[place] for place in places]
        for i in kept.filters:
            column = split.filters[i].column(es, request, pool, now_s)
            verdicts = [v is True for v in column]
            self._mark(self.passed, i, places, verdicts)
            if self._faults[i] or verdicts != column:
                self._mark(self._faults, i, places, [is_fault(v) for v in column])
        for i in kept.numbers:
            number, values = split.numbers[i], self._numbers[i]
            asked = UNMATCHED if number.keep is Keep.UNMATCHED else request
            raw = number.column(es, asked, pool, now_s)
            counted = number.values(raw)
            for place, value in zip(places, counted, strict=True):
                values[place] = value
            f = len(split.filters) + i
            if self._faults[f] or counted != raw:
                self._mark(self._faults, f, places, [is_fault(v) for v in raw])
        if kept.numbers:
            self._move(places)
        if kept is self._every:
            ready = marked(self._ready, places, [e.ready for e in es])
            if ready != self._ready:
                self._ready = ready
                self._concluded = False
            for place, e in zip(places, es, strict=True):
                self._alarms.set(place, e, now_s)

    def _mark(self, masks: list[int], i: int, places: Sequence[int], members: list[bool]) -> None:
        mask = marked(masks[i], places, members)
        if mask != masks[i]:
            masks[i] = mask
            self._concluded = False

    def _move(self, places: Sequence[int]) -> None:
        """Bring the endpoints at *places* to where they now belong in the order."""
        split, numbers, order, sign = self.split, self._numbers, self.order, self.sign
        for place in places:
            rank = 0.0
            for i, weight in split.added:
                rank = rank + sign * weight * numbers[i][place]
            self.bases[place] = rank
            for i, weight in split.added_unmatched:
                rank = rank + sign * weight * numbers[i][place]
            key = (rank, numbers[-1][place] if split.ties_kept else 0.0, place)
            old = self.keys[place]
            if key != old:
                self.keys[place] = key
                del order[bisect_left(order, old)]
                insort(order, key)


def _fault_mask(raw: Sequence[float | RuleFault], taken: Sequence[float]) -> int:
    """Return where *raw* has faults; nowhere if it is the same as what was *taken* of it."""
    return 0 if raw == taken else mask_of(map(is_fault, raw))


def is_fault(value: float | RuleFault) -> bool:
    """Return whether a rule failed: with a fault, or a number that is none."""
    return isinstance(value, RuleFault) or value != value
