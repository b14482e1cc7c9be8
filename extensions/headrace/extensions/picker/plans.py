"""The tables of one generation: which are kept, and for how long. Nothing of it is ever needed.

Per pool and profile there is one table of what scrapes decide, and some more for the values
of what few requests differ in, such as the adapter. A value gets its table when it comes a
second time, so that values made up by clients cost no more than to look.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter

from headrace.dsl.program import Profile, RequestValues
from headrace.extensions.picker.snapshot import PoolState
from headrace.extensions.picker.staging import Split, Staged, stage
from headrace.extensions.picker.table import Table

CELLS_MAX = 65_536  # endpoints times values, per pool and profile
VALUES_MIN, VALUES_MAX = 8, 256
GLIMPSED_MAX = 512
TEXT_MAX = 256  # a longer model or adapter name is not kept

Input = str | int | bool | float | None
Inputs = tuple[Input, ...]


@dataclass(slots=True)
class _Shelf:
    """The tables of one pool and profile. *glimpsed*: values that came once."""

    staged: Staged
    inputs: Callable[[RequestValues], Inputs]
    narrow: Table | None = None
    wide: OrderedDict[Inputs, Table] = field(default_factory=OrderedDict[Inputs, Table])
    glimpsed: OrderedDict[Inputs, None] = field(default_factory=OrderedDict[Inputs, None])


@dataclass(slots=True)
class Plans:
    """Finds the table to decide by. Event loop's thread only; one of each generation."""

    _shelves: dict[tuple[str, str], _Shelf] = field(
        default_factory=dict[tuple[str, str], _Shelf], repr=False
    )

    def find(
        self, profile: Profile, pool: PoolState, request: RequestValues, now_s: float
    ) -> tuple[Staged, Table]:
        """Return the staged *profile* and an up-to-date table of *pool*."""
        shelf = self._shelves.get((pool.name, profile.name))
        if shelf is None or shelf.staged.profile is not profile:
            shelf = self._shelves[pool.name, profile.name] = _shelf(profile)
        staged = shelf.staged
        if not staged.inputs:
            table = shelf.narrow = _current(
                shelf.narrow, staged.narrow, staged, pool, request, now_s
            )
            return staged, table
        return staged, _by_inputs(shelf, shelf.inputs(request), pool, request, now_s)


def _shelf(profile: Profile) -> _Shelf:
    staged = stage(profile)
    # With two names or more, an attrgetter gives a tuple; a name that stands twice does no harm.
    names = staged.inputs * 2 or ("id", "id")
    return _Shelf(staged, attrgetter(*names))


def _by_inputs(
    shelf: _Shelf, inputs: Inputs, pool: PoolState, request: RequestValues, now_s: float
) -> Table:
    staged = shelf.staged
    known = shelf.wide.get(inputs)
    if known is None and not _came_before(shelf, inputs):
        shelf.narrow = _current(shelf.narrow, staged.narrow, staged, pool, request, now_s)
        return shelf.narrow
    table = _current(known, staged.wide, staged, pool, request, now_s)
    shelf.wide[inputs] = table
    shelf.wide.move_to_end(inputs)
    fit = max(VALUES_MIN, min(VALUES_MAX, CELLS_MAX // (len(pool.endpoints) or 1)))
    while len(shelf.wide) > fit:
        shelf.wide.popitem(last=False)
    return table


def _came_before(shelf: _Shelf, inputs: Inputs) -> bool:
    """Return whether *inputs* came once already, and note that they came."""
    if any(isinstance(value, str) and len(value) > TEXT_MAX for value in inputs):
        return False
    if inputs in shelf.glimpsed:
        del shelf.glimpsed[inputs]
        return True
    shelf.glimpsed[inputs] = None
    if len(shelf.glimpsed) > GLIMPSED_MAX:
        shelf.glimpsed.popitem(last=False)
    return False


def _current(
    table: Table | None,
    split: Split,
    staged: Staged,
    pool: PoolState,
    request: RequestValues,
    now_s: float,
) -> Table:
    """Return *table* up to date, or a new one if it is of other endpoints or already newer."""
    if table is None or table.roster is not pool.roster or table.version > pool.version:
        return Table(split, staged.least, pool, request, now_s)
    table.refresh(pool, request, now_s)
    return table
