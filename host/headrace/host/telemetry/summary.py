"""An outcome in the words that metrics, log lines and spans share."""

from msgspec import Struct

from headrace.extensions.call import Call
from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.flow.waited import Waited
from headrace.extensions.picker.stage import Served
from headrace.extensions.reasons import Reason
from headrace.extensions.records import Guarded, HandedOn, Routing, RuleError, Usage
from headrace.extensions.stage import Outcome, Route

NO_MODEL = "none"
OTHER_MODEL = "other"


class Summary(Struct, frozen=True):
    """What one exchange came to.

    model_label  the policy's name for the model, ``other`` if it has none, ``none`` if the
                 body named none: bounded, unlike *model*, which is the caller's word
    endpoint     where the proxy went, as far as it told; else where it was sent
    kind         the class that matched
    ttft_s       from the first part to the first piece of the response body
    guarded      what each guard did, per direction
    wait_s       in queues; None if it did not have to. `decision_s` is without it
    """

    model: str
    model_label: str
    operation: str
    stream: bool
    pool: str
    endpoint: str
    adapter: str
    priority: int
    kind: str
    profile: str
    reason: str
    shed: bool
    duration_s: float
    decision_s: float | None
    ttft_s: float | None
    usage: Usage | None
    decision: Decision | None
    rule_errors: tuple[RuleError, ...]
    failures: tuple[str, ...]
    route: Route | None
    wait_s: float | None = None
    guarded: tuple[Guarded, ...] = ()
    handed_on: bool = False
    taken_over: bool = False


def summarise(outcome: Outcome) -> Summary:
    """Return the summary of *outcome*."""
    request, reason = outcome.request, outcome.reason
    call = request.call
    # A request that was turned away keeps no route, yet had one: the router's record tells.
    route, handed_on, taken_over = request.route, False, False
    usage: Usage | None = None
    decision: Decision | None = None
    endpoint = ""
    wait_s: float | None = None
    errors, failures = list[RuleError](), list[str]()
    guarded: tuple[Guarded, ...] = ()
    for run in outcome.runs:
        if run.error:
            failures.append(f"{run.stage}: {run.error}")
        for record in run.records:
            if isinstance(record, Usage):
                usage = record
            elif isinstance(record, Decision):
                decision, endpoint = record, record.chosen or ""
            elif isinstance(record, Waited):
                wait_s = (wait_s or 0.0) + record.waited_s
            elif isinstance(record, Routing):
                route, taken_over = route or _route(record), record.taken_over
            elif isinstance(record, Served):
                endpoint = record.served
            elif isinstance(record, RuleError):
                errors.append(record)
            elif isinstance(record, Guarded):
                guarded += (record,)
            elif isinstance(record, HandedOn):
                handed_on = reason is None
    model = call.model if call is not None else ""
    first_s, started_s = outcome.first_event_s, outcome.started_s
    return Summary(
        model=model,
        model_label=route.model if route else (OTHER_MODEL if model else NO_MODEL),
        operation=call.api.operation if isinstance(call, Call) else "",
        stream=call.stream if isinstance(call, Call) else False,
        pool=route.pool if route else "",
        endpoint=endpoint,
        adapter=route.adapter if route else "",
        priority=route.priority if route else 0,
        kind=route.kind if route else "",
        profile=route.profile if route else "",
        reason=reason.word if reason else "",
        shed=reason is Reason.SHED,
        duration_s=outcome.ended_s - started_s,
        decision_s=_without(outcome.decided_s, started_s, wait_s or 0.0),
        ttft_s=None if first_s is None else first_s - started_s,
        usage=usage,
        decision=decision,
        rule_errors=tuple(errors),
        failures=tuple(failures),
        route=route,
        wait_s=wait_s,
        guarded=guarded,
        handed_on=handed_on,
        taken_over=taken_over,
    )


def _without(decided_s: float | None, started_s: float, wait_s: float) -> float | None:
    return None if decided_s is None else max(0.0, decided_s - started_s - wait_s)


def _route(record: Routing) -> Route:
    return Route(
        model=record.model,
        pool=record.pool,
        target=record.target,
        adapter=record.adapter,
        priority=record.priority,
        profile=record.profile,
        kind=record.classes[0] if record.classes else "",
        share_bucket=record.share_bucket,
    )
