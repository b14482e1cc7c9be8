"""The blocks that one server reports, as chains that grow and shrink.

A block is known by the server's own hash, which says nothing to us, and by where it stands:
behind which other, how many blocks deep. Blocks that were stored one after the other are a
`Run`, most probably the work of one request; whose, is found out in `matching`.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from headrace.extensions.picker.kv.events import Cleared, Event, Hash, Removed, Stored

REACH_MAX = 1 << 17  # blocks in a chain, beyond any context; a block keeps all before it in memory
RUNS_MAX = 1024  # runs that grow, or have grown and belong to no request yet


@dataclass(slots=True, eq=False)
class Block:
    """One block of a server. Mutable; written by the `Chains` that it is of, and by `matching`.

    depth  how many blocks end with it; None if that is not known yet
    reach  how many of those before it can still be found from it
    keys   those blocks of ours that end in it
    """

    parent: "Block | None"
    depth: int | None
    reach: int = 0
    keys: tuple[int, ...] = ()
    alive: bool = True


@dataclass(slots=True, eq=False)
class Run:
    """*length* blocks behind *before*, the last being *tip*. Written like `Block`.

    number  the how manyeth of its server it was to begin
    """

    before: Block | None
    tip: Block
    length: int
    changed_s: float
    number: int = 0

    @property
    def begin(self) -> int | None:
        """How many blocks stand before it; None if that is not known yet."""
        return 0 if self.before is None else self.before.depth


@dataclass(slots=True)
class Chains:
    """The chains of one server. Written from the event loop's thread only.

    blocks_max    how many blocks are followed; with more, the oldest are let go
    block_tokens  in one block; 0 before anything was stored
    owners        block of ours -> the server's in which it ends
    """

    blocks_max: int
    block_tokens: int = 0
    owners: dict[int, Block] = field(default_factory=dict[int, Block])
    _blocks: "OrderedDict[Hash, Block]" = field(default_factory=OrderedDict[Hash, Block])
    _runs: dict[Run, None] = field(default_factory=dict[Run, None])
    _tips: dict[Block, Run] = field(default_factory=dict[Block, Run])
    _last_number: int = 0

    def __len__(self) -> int:
        """Return how many blocks are followed."""
        return len(self._blocks)

    @property
    def runs(self) -> Iterator[Run]:
        """The runs that nobody has claimed, in the order in which they last grew."""
        return iter(self._runs)

    def grown_since(self, since_s: float) -> Iterator[Run]:
        """Yield those of `runs` that have grown at *since_s* or later, the last first."""
        for run in reversed(self._runs):
            if run.changed_s < since_s:
                return
            yield run

    def apply(self, event: Event, now_s: float) -> list[int]:
        """Follow *event*, which came at *now_s*; return those of our blocks that are gone by it."""
        match event:
            case Stored():
                self._stored(event, now_s)
                return self._let_go()
            case Removed():
                gone: list[int] = []
                for each in event.hashes:
                    gone += self._remove(each)
                return gone
            case Cleared():
                return self.reset()

    def reset(self) -> list[int]:
        """Forget all, and return which of our blocks that is about."""
        gone = list(self.owners)
        for kept in (self.owners, self._blocks, self._runs, self._tips):
            kept.clear()
        return gone

    def claim(self, run: Run) -> None:
        """Note that *run* is of a request that is known; what grows on it is another's."""
        del self._runs[run]
        if self._tips.get(run.tip) is run:
            del self._tips[run.tip]

    def _stored(self, event: Stored, now_s: float) -> None:
        if not event.hashes:
            return
        self.block_tokens = event.block_tokens
        before = None
        if event.parent is not None:
            before = self._blocks.get(event.parent)
            if before is None:  # stored before we listened: its depth is not known yet
                before = self._blocks[event.parent] = Block(None, None)
        run = self._tips.pop(before, None) if before else None
        tip = self._next(before, event.hashes[0])
        for each in event.hashes[1:]:
            tip = self._next(tip, each)
        if run is None:
            self._last_number += 1
            run = Run(before, tip, 0, now_s, self._last_number)
        else:
            del self._runs[run]
        self._runs[run] = None
        if len(self._runs) > RUNS_MAX:
            self.claim(next(iter(self._runs)))
        run.tip, run.length, run.changed_s = tip, run.length + len(event.hashes), now_s
        self._tips[tip] = run

    def _next(self, before: Block | None, name: Hash) -> Block:
        """Return the block *name*, which stands behind *before*."""
        block = self._blocks.get(name)
        if block is None:
            if before is None:
                block = Block(None, 1)
            elif before.reach >= REACH_MAX:
                block = Block(None, None)  # no prompt is that long: as if the rest were unheard of
            else:
                depth = None if before.depth is None else before.depth + 1
                block = Block(before, depth, before.reach + 1)
            self._blocks[name] = block
        elif _replaced(block.parent, before, block.depth):
            block.parent = before  # what stood before it was evicted, and is stored anew
        return block

    def _remove(self, name: Hash) -> tuple[int, ...]:
        block = self._blocks.pop(name, None)
        if block is None:
            return ()
        block.alive = False
        for key in block.keys:
            self.owners.pop(key, None)
        return block.keys

    def _let_go(self) -> list[int]:
        """Follow no more blocks than allowed."""
        gone: list[int] = []
        while len(self._blocks) > self.blocks_max:
            oldest = next(iter(self._blocks))
            self._blocks[oldest].parent = None  # nor what only it keeps in memory
            gone += self._remove(oldest)
        return gone


def _replaced(old: Block | None, new: Block | None, depth: int | None) -> bool:
    """Return whether *new* stands where *old*, which is gone, stood before a block at *depth*.

    With the depths that it must have, no chain that a server makes up can lead back to itself.
    """
    if old is None or old.alive or new is None or new is old:
        return False
    return depth is not None and new.depth == depth - 1
