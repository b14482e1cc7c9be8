"""What a policy does about a pool under pressure: who is turned away, and who has to wait."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec import Struct
from xxhash import xxh3_64_intdigest

from headrace.dsl.program import Overload, RuleFault, Shed, When
from headrace.extensions.picker.decision import Fault, line_of
from headrace.extensions.picker.flow.control import FlowControl
from headrace.extensions.picker.snapshot import Endpoint, PoolState
from headrace.extensions.picker.values import PickValues
from headrace.extensions.reasons import Reason
from headrace.extensions.records import RuleError
from headrace.extensions.stage import Reject

RETRY_S = 1.0  # where neither the policy nor a queue says when to come back
LOWEST = float("-inf")


@dataclass(frozen=True, slots=True)
class ShedRecord:
    """Why a request was turned away: which rules, on which values of the pool.

    endpoints  of the pool, as they were then
    """

    request_id: str
    model: str
    kind: str
    priority: int
    pool: str
    overload: str
    overload_line: str
    shed: str
    shed_line: str
    status: int
    retry_after_s: float | None
    pool_queue: float
    pool_kv_cache: float
    pool_ready: int
    endpoints: tuple[Endpoint, ...] = field(default=(), repr=False)


class Arrival(Struct, frozen=True):
    """A request at the door of a pool.

    seed      of the chances
    flow      who waits for the pool, if anybody ever did
    waited_s  how long it has waited already
    """

    values: PickValues
    pool: PoolState
    now_s: float
    seed: int = 0
    flow: FlowControl | None = None
    waited_s: float = 0.0


class Pressed(Struct, frozen=True):
    """What the overloads make of a request.

    queue   which overload it has to wait by, by its place in the policy
    faults  what failed on the way
    """

    reject: Reject | None = None
    queue: int | None = None
    faults: tuple[Fault, ...] = ()


UNPRESSED = Pressed()


def pressed(overloads: Iterable[Overload], arrival: Arrival) -> Pressed:
    """Return the reject of the first shed rule that holds; else the first queue to wait in."""
    faults: list[Fault] = []
    queue: int | None = None
    for place, overload in enumerate(overloads):
        if overload.pools and arrival.pool.name not in overload.pools:
            continue
        if not _holds(overload.when, arrival, faults):
            continue
        for nth, shed in enumerate(overload.sheds):
            if _holds(shed.when, arrival, faults) and _drawn(shed, place, nth, arrival, faults):
                return Pressed(_reject(overload, shed, arrival, faults), None, tuple(faults))
        if queue is None and overload.queue is not None:
            queue = place
    if queue is None and not faults:
        return UNPRESSED
    return Pressed(None, queue, tuple(faults))


def _holds(when: When, arrival: Arrival, faults: list[Fault]) -> bool:
    """Return whether *when* is true; that it failed is added to *faults*."""
    verdict = when.test(arrival.values, arrival.pool, arrival.now_s)
    if isinstance(verdict, RuleFault):
        faults.append(Fault(when.rule.name or when.rule.text, verdict.kind))
    return verdict is True


def _drawn(shed: Shed, place: int, nth: int, arrival: Arrival, faults: list[Fault]) -> bool:
    """Return whether the lot falls on the request: the same lot for the same id and seed."""
    if shed.chance is None:
        return True
    chance = shed.chance.value(arrival.values, arrival.pool, arrival.now_s)
    if isinstance(chance, RuleFault):
        faults.append(Fault(shed.chance.rule.name or shed.chance.rule.text, chance.kind))
        return False
    if chance != chance:
        faults.append(Fault(shed.chance.rule.name or shed.chance.rule.text, "nan"))
        return False
    named = f"{arrival.values.id}\x1fshed {place} {nth}".encode("utf-8", "surrogatepass")
    return (xxh3_64_intdigest(named, arrival.seed) >> 11) / 2.0**53 < chance


def _reject(overload: Overload, shed: Shed, arrival: Arrival, faults: Iterable[Fault]) -> Reject:
    values, pool = arrival.values, arrival.pool
    retry_after_s = shed.retry_after_s
    if retry_after_s is None:
        flow = arrival.flow
        waits = flow is not None and len(flow)
        retry_after_s = flow.retry_after_s(LOWEST, RETRY_S) if flow and waits else RETRY_S
    record = ShedRecord(
        request_id=values.id,
        model=values.model,
        kind=values.route.kind,
        priority=values.priority,
        pool=pool.name,
        overload=overload.when.rule.text,
        overload_line=line_of(overload.when.rule),
        shed=shed.when.rule.text,
        shed_line=line_of(shed.when.rule),
        status=shed.status,
        retry_after_s=retry_after_s,
        pool_queue=pool.queue,
        pool_kv_cache=pool.kv_cache,
        pool_ready=pool.ready,
        endpoints=pool.endpoints,
    )
    return Reject(
        Reason.SHED,
        shed.message,
        status=shed.status,
        retry_after_s=retry_after_s,
        records=(record, *(RuleError(f.rule, f.kind) for f in faults)),
    )
