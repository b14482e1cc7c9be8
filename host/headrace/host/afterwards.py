"""What expressions that look back may read of an exchange: of `trace`, and of `test`.

Made from the outcome alone, so that a host, a test and a log see the same values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from headrace.dsl.program import OnMatch, Program
from headrace.extensions.body_router.table import model_facts
from headrace.extensions.body_router.values import Facts, HeaderMap, facts
from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.flow.waited import Waited
from headrace.extensions.picker.stage import Served
from headrace.extensions.reasons import Reason
from headrace.extensions.records import Guarded, Routing, Usage, Verdict
from headrace.extensions.stage import Outcome
from headrace.extensions.values import NO_MODEL, ModelFacts

NO_NAMES: Mapping[str, str] = {}
R = TypeVar("R")
_CLOSED = "failed-closed"  # what `Guarded` says of a guard that let nothing pass without a verdict


@dataclass(frozen=True, slots=True)
class DecisionFacts:
    """`decision.*`; see `program.DecisionValues`."""

    shed: bool = False
    queued: bool = False
    blocked: bool = False
    redacted: bool = False
    masked: bool = False
    rejected: bool = False
    status: int = 0
    reason: str = ""
    message: str = ""
    model: str = ""
    target: str = ""
    adapter: str = ""
    pool: str = ""
    endpoint: str = ""
    prefill: str = ""
    encode: str = ""
    profile: str = ""
    priority: int = 0
    kind: str = ""
    guard: str = ""
    wait_s: float = 0.0
    retry_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ResponseFacts:
    """`response.*`; see `program.ResponseValues`."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=lambda: NO_NAMES)
    size: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    ttft_s: float | None = None
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LookedBack:
    """One exchange as `request.*`, `model.*`, `decision.*` and `response.*`."""

    request: Facts
    model: ModelFacts
    decision: DecisionFacts
    response: ResponseFacts


def look_back(outcome: Outcome, program: Program) -> LookedBack:
    """Return what is known of an exchange of *program* that has ended."""
    routing = find(outcome, Routing)
    request = request_of(outcome)
    model = program.models.get(routing.model) if routing else None
    return LookedBack(
        request,
        model_facts(model) if model else NO_MODEL,
        _decision(outcome, routing),
        _response(outcome),
    )


def find(outcome: Outcome, kind: type[R]) -> R | None:
    """Return the last record of *kind* in *outcome*."""
    records = [r for run in outcome.runs for r in run.records if isinstance(r, kind)]
    return records[-1] if records else None


def request_of(outcome: Outcome) -> Facts:
    """Return `request.*` with what the router made of it, be the request turned away or not."""
    routing, values = find(outcome, Routing), facts(outcome.request)
    if routing is not None:
        values.model = routing.asked
        values.adapter, values.priority = routing.adapter, routing.priority
        model = outcome.program.models.get(routing.model) if outcome.program else None
        values.asked = model_facts(model) if model else NO_MODEL
    return values


def _decision(outcome: Outcome, routing: Routing | None) -> DecisionFacts:
    picked, reason = find(outcome, Decision), outcome.reason
    verdicts = [r for run in outcome.runs for r in run.records if isinstance(r, Verdict)]
    actions = {verdict.action for verdict in verdicts}
    waits = [r for run in outcome.runs for r in run.records if isinstance(r, Waited)]
    return DecisionFacts(
        shed=reason is Reason.SHED,
        queued=bool(waits),
        wait_s=sum(wait.waited_s for wait in waits),
        blocked=reason is Reason.SAFETY_BLOCKED,
        redacted=OnMatch.REDACT.value in actions,
        masked=OnMatch.MASK.value in actions,
        rejected=reason is not None,
        status=outcome.status if reason else 0,
        reason=reason.word if reason else "",
        message=outcome.message,
        model=routing.model if routing else "",
        target=routing.target if routing else "",
        adapter=routing.adapter if routing else "",
        pool=routing.pool if routing else picked.pool if picked else "",
        endpoint=_endpoint(outcome, picked),
        prefill=_beside(picked, "prefill"),
        encode=_beside(picked, "encode"),
        profile=picked.profile if picked else routing.profile if routing else "",
        priority=routing.priority if routing else 0,
        kind=routing.classes[0] if routing and routing.classes else "",
        guard=guard_of(outcome),
        retry_after_s=outcome.retry_after_s or 0.0,
    )


def guard_of(outcome: Outcome) -> str:
    """Return the guard that stopped it, else the first that found something."""
    records = [record for run in outcome.runs for record in run.records]
    found = [r for r in records if isinstance(r, Verdict)]
    stopped: list[str] = []
    if outcome.reason is Reason.SAFETY_BLOCKED:
        stopped = [v.guard for v in found if v.action == "block"]
    elif outcome.reason is Reason.SAFETY_UNAVAILABLE:
        stopped = [r.guard for r in records if isinstance(r, Guarded) and r.state == _CLOSED]
    return next(iter([*stopped, *(v.guard for v in found)]), "")


def _endpoint(outcome: Outcome, picked: Decision | None) -> str:
    """Return the name of the endpoint that served, as far as it is known."""
    if picked is None or picked.chosen is None:
        return ""
    served = find(outcome, Served)
    address = served.served if served else picked.chosen
    names = {e.address: e.name for e in picked.endpoints}
    return names.get(address, address)


def _beside(picked: Decision | None, role: str) -> str:
    """Return the name of the endpoint that was picked beside, for *role*."""
    other = dict(picked.beside).get(role) if picked else None
    names = {e.address: e.name for e in other.endpoints} if other else {}
    return names.get(other.chosen or "", "") if other else ""


def _response(outcome: Outcome) -> ResponseFacts:
    usage, began_s = find(outcome, Usage), outcome.started_s
    return ResponseFacts(
        status=outcome.status,
        headers=HeaderMap(outcome.response_headers),
        size=outcome.response_bytes,
        prompt_tokens=usage.input_tokens if usage else None,
        completion_tokens=usage.output_tokens if usage else None,
        cached_tokens=usage.cached_tokens if usage else None,
        ttft_s=None if outcome.first_event_s is None else outcome.first_event_s - began_s,
        duration_s=outcome.ended_s - began_s,
    )
