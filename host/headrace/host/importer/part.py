"""What one plugin becomes: a formula, a pick, or a reason why nothing is written."""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.host.importer.settings import Settings


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression over an endpoint.

    name     what to call it
    text     the expression
    differs  how it is not what the reference computes; empty if it is
    cure     what to do about the difference
    note     what a reader should know although nothing differs
    soft     of a filter: skip it if it would leave nobody
    """

    name: str
    text: str
    differs: str = ""
    cure: str = ""
    note: str = ""
    soft: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """A rule of the library by its *name*. *lets*: names and values that it is to go by.

    The others are as of a `Formula`.
    """

    name: str
    lets: tuple[tuple[str, str], ...] = ()
    differs: str = ""
    cure: str = ""
    note: str = ""
    soft: bool = False


@dataclass(frozen=True, slots=True)
class Picking:
    """A `pick` statement."""

    text: str
    differs: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Hosted:
    """The host does this without being told. *what* it does."""

    what: str


@dataclass(frozen=True, slots=True)
class Left:
    """Nothing is written: *what* is missing, and the *cure*."""

    what: str
    cure: str = ""


Part = Formula | Named | Picking | Hosted | Left
Known = frozenset[str]  # the names that expressions can read, as `pool.max.queue`
Reading = Callable[[Settings, Known], Part]


def left(what: str, cure: str = "") -> Reading:
    """Return the reading of a plugin that nothing stands in for, whatever its settings."""

    def read(settings: Settings, _known: Known) -> Part:
        settings.ignore(*settings.mapping.entries)
        return Left(what, cure)

    return read


def hosted(what: str, *ignored: str) -> Reading:
    """Return the reading of a plugin whose work the host does; *ignored* settings need nothing."""

    def read(settings: Settings, _known: Known) -> Part:
        settings.ignore(*ignored)
        return Hosted(what)

    return read
