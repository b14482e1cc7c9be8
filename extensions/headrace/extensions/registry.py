"""Which stages there are: name -> builder, found through the entry points `headrace.stages`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from headrace.dsl.program import Program
from headrace.extensions.stage import Outcome, Stage

if TYPE_CHECKING:
    from headrace.extensions.picker.snapshot import Store

GROUP = "headrace.stages"


@dataclass(frozen=True, slots=True)
class Site:
    """What a host gives the builders of stages.

    store   where the scraper and the picker keep the state of all endpoints
    report  takes the outcome of every exchange that the observability stage has seen
    seed    of every pseudo-random choice, so that a run can be repeated
    """

    store: "Store"
    report: Callable[[Outcome], None]
    seed: int = 0


Builder = Callable[[Program, Site], Stage]


class UnknownStage(Exception):
    """A chain names a stage that nothing installed provides."""

    def __init__(self, name: str, known: list[str]) -> None:
        self.name, self.known = name, known
        super().__init__(f"unknown stage `{name}`; installed: {', '.join(known)}")


def builders() -> Mapping[str, Builder]:
    """Return the builders of all installed stages by name, in name order."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: point.load() for point in found}


def build(name: str, program: Program, site: Site) -> Stage:
    """Build the stage *name* for *program*.

    Raises:
        UnknownStage: no installed package provides it.
    """
    known = builders()
    if name not in known:
        raise UnknownStage(name, list(known))
    return known[name](program, site)
