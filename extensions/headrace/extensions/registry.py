"""Which stages there are: name -> builder, found through the entry points `headrace.stages`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, cast

from headrace.dsl.program import Program
from headrace.extensions.directory import Directory
from headrace.extensions.packages import GROUP, build_used, declared
from headrace.extensions.stage import Outcome, Stage

if TYPE_CHECKING:
    from headrace.extensions.picker.store import Store

__all__ = ["GROUP", "Builder", "Site", "UnknownStage", "build", "builders", "declared"]


Announce = Callable[[str, str, float | None], str]


def unannounced(traceparent: str, request_id: str, ratio: float | None) -> str:
    """Announce no span: nothing is traced, or nothing is sent upstream."""
    return ""


@dataclass(frozen=True, slots=True)
class Site:
    """What a host gives the builders of stages.

    store   where the scraper and the picker keep the state of all endpoints
    report  takes the outcome of every exchange that the observability stage has seen
    seed    of every pseudo-random choice, so that a run can be repeated
    epoch_s what the wall clock shows when the monotonic one, that of `now_s`, shows 0
    announce  traceparent, request id, the policy's sample ratio -> the traceparent that the
            upstream is sent in place of the client's; empty leaves it
    conformance  whether the conformance tests of gateways may force endpoints and see them
    emit_scores  whether the proxy is told the scores of all candidates
    plain_errors whether errors look as the reference endpoint picker's do
    lists_served whether the list of models has what the servers say beside what the policy does
    session_key  signs the tokens by which a session finds its endpoint again; empty: none are given
    directory  what a cluster says of requests, beside the policy
    destinations  how many endpoints the proxy is told of a pick at most, best first
    """

    store: "Store"
    report: Callable[[Outcome], None]
    seed: int = 0
    epoch_s: float = 0.0
    announce: Announce = unannounced
    conformance: bool = False
    emit_scores: bool = False
    plain_errors: bool = False
    lists_served: bool = False
    session_key: bytes = field(default=b"", repr=False)
    directory: Directory = field(default_factory=Directory)
    destinations: int = 3


Builder = Callable[[Program, Site], Stage]


class UnknownStage(Exception):
    """A chain names a stage that nothing installed provides."""

    def __init__(self, name: str, known: list[str]) -> None:
        self.name, self.known = name, known
        super().__init__(f"unknown stage `{name}`; installed: {', '.join(known)}")


def builders() -> Mapping[str, Builder]:
    """Return the builders of all installed stages by name, in name order.

    Each imports its package when it is called: one that is broken stops nobody else.
    """
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: _builder(point) for point in found}


def _builder(point: EntryPoint) -> Builder:
    def build_stage(program: Program, site: Site) -> Stage:
        return cast(Builder, point.load())(program, site)

    return build_stage


def build(
    name: str, program: Program, site: Site, installed: Mapping[str, Builder] | None = None
) -> Stage:
    """Build the stage *name* for *program*: one it takes from a package, or an installed one.

    installed  what `builders` returned: for who builds several, as looking takes milliseconds

    Raises:
        UnknownStage: no installed package provides it.
    """
    known = builders() if installed is None else installed
    use = program.stages.get(name)
    if use is not None:
        try:
            return build_used(use, program, site)
        except LookupError as error:
            raise UnknownStage(name, list(known)) from error
    if name not in known:
        raise UnknownStage(name, list(known))
    return known[name](program, site)
