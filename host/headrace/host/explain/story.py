"""One decision as data: what was asked, which rule said what of whom, and who won.

Sufficient by itself: a page is drawn from it without the policy and without the pool. Bounded.
"""

from msgspec import Struct

from headrace.extensions.records import Guarded
from headrace.host.explain.diagram import Diagram

DROPPED_MAX = 4  # of one filter, that are shown each with its values
ROWS_MAX = 16
VERSION = 1
Value = float | str  # "∞", or what went wrong


class Asked(Struct, frozen=True):
    """A condition, and what it came to.

    name  ``overload`` or ``shed``
    """

    name: str
    line: str
    diagram: Diagram


class Wait(Struct, frozen=True):
    """A wait in a queue, or for an endpoint; see `Waited`."""

    how: str
    waited_s: float
    rank: Value
    ahead: int
    key: str = ""
    rule: str = ""
    line: str = ""


class Dropped(Struct, frozen=True):
    """An endpoint that a filter took out. *why* stands where there is no expression to show."""

    endpoint: str
    diagram: Diagram | None = None
    why: str = ""


class Filtered(Struct, frozen=True):
    """One filter.

    text     of the expression; empty for the built-in ones
    relaxed  it would have left nothing, and so was skipped
    more     how many endpoints it took out beside those in *dropped*
    """

    name: str
    kind: str
    line: str = ""
    text: str = ""
    relaxed: bool = False
    dropped: tuple[Dropped, ...] = ()
    more: int = 0


class Weighed(Struct, frozen=True):
    """One scorer, or one cost, of the profile. *head*: its name and what it counts for."""

    name: str
    weight: float
    cost: bool = False
    line: str = ""
    text: str = ""
    head: str = ""


class Cell(Struct, frozen=True):
    """What one scorer or cost said of one endpoint."""

    raw: Value
    score: Value
    weighted: Value


class Row(Struct, frozen=True):
    """One endpoint.

    total  None if it was not scored
    rank   0 for the chosen one, then the fallbacks
    note   ``picked``, or what would have made it win
    """

    endpoint: str
    address: str
    total: Value | None = None
    cells: tuple[Cell, ...] = ()
    rank: int | None = None
    note: str = ""
    dropped_by: str = ""
    ready: bool = True
    age_s: float | None = None
    queue: int = 0
    running: int = 0
    in_flight: int = 0
    kv_cache: float = 0.0


class Failed(Struct, frozen=True):
    """A rule that failed, and of whom."""

    rule: str
    kind: str
    endpoint: str = ""


class Beside(Struct, frozen=True):
    """Who was picked beside the endpoint, and by what. *role*: ``prefill`` or ``encode``."""

    role: str
    profile: str
    endpoint: str
    filters: tuple[Filtered, ...] = ()
    columns: tuple[Weighed, ...] = ()
    rows: tuple[Row, ...] = ()


class Story(Struct, frozen=True):
    """One decision; see the module.

    time_s   when it was, Unix seconds; 0 for one that was made up
    took_us  from the first part to the decision, without waits; None if the time stood still
    asked    the model that the client named; *model* is the policy's name for it
    share    of the pool among the model's, 0..1, and where in it the request fell
    how      which road led to the endpoint; empty without a pick
    tried    the profiles that were asked, in order
    """

    version: int = VERSION
    id: str = ""
    time_s: float = 0.0
    took_us: float | None = None
    policy: str = ""
    generation: int = 0
    asked: str = ""
    model: str = ""
    classes: tuple[str, ...] = ()
    priority: int = 0
    adapter: str = ""
    prompt_tokens: int = 0
    pool: str = ""
    share: float = 1.0
    bucket: float = 0.0
    profile: str = ""
    tried: tuple[str, ...] = ()
    pick: str = ""
    how: str = ""
    endpoint: str = ""
    status: int = 0
    reason: str = ""
    message: str = ""
    guard: str = ""
    waits: tuple[Wait, ...] = ()
    conditions: tuple[Asked, ...] = ()
    filters: tuple[Filtered, ...] = ()
    columns: tuple[Weighed, ...] = ()
    rows: tuple[Row, ...] = ()
    more: int = 0
    clamped: dict[str, int] = {}
    faults: tuple[Failed, ...] = ()
    failures: tuple[str, ...] = ()
    beside: tuple[Beside, ...] = ()
    guards: tuple[Guarded, ...] = ()
