"""What a policy does about a pool under pressure: which requests are turned away."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from headrace.dsl.program import Overload, RuleFault, Shed, When
from headrace.extensions.picker.decision import Fault, line_of
from headrace.extensions.picker.snapshot import Endpoint, PoolState
from headrace.extensions.picker.values import PickValues
from headrace.extensions.reasons import Reason
from headrace.extensions.records import RuleError
from headrace.extensions.stage import Reject


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


def pressed(
    overloads: Iterable[Overload], values: PickValues, pool: PoolState, now_s: float
) -> tuple[Reject | None, tuple[Fault, ...]]:
    """Return the reject of the first shed rule that holds, and what failed on the way."""
    faults: list[Fault] = []
    for overload in overloads:
        if overload.pools and pool.name not in overload.pools:
            continue
        if not _holds(overload.when, values, pool, now_s, faults):
            continue
        for shed in overload.sheds:
            if _holds(shed.when, values, pool, now_s, faults):
                errors = [RuleError(f.rule, f.kind) for f in faults]
                return _reject(overload, shed, values, pool, errors), tuple(faults)
    return None, tuple(faults)


def _holds(
    when: When, values: PickValues, pool: PoolState, now_s: float, faults: list[Fault]
) -> bool:
    """Return whether *when* is true; that it failed is added to *faults*."""
    verdict = when.test(values, pool, now_s)
    if isinstance(verdict, RuleFault):
        faults.append(Fault(when.rule.name or when.rule.text, verdict.kind))
    return verdict is True


def _reject(
    overload: Overload,
    shed: Shed,
    values: PickValues,
    pool: PoolState,
    errors: Sequence[RuleError],
) -> Reject:
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
        retry_after_s=shed.retry_after_s,
        pool_queue=pool.queue,
        pool_kv_cache=pool.kv_cache,
        pool_ready=pool.ready,
        endpoints=pool.endpoints,
    )
    return Reject(
        Reason.SHED,
        shed.message,
        status=shed.status,
        retry_after_s=shed.retry_after_s,
        records=(record, *errors),
    )
