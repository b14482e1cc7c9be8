"""The picker stage: sheds, picks, reserves, and releases when the exchange is over."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace.dsl.program import Overload, Profile, Program, RuleFault, Shed, When
from headrace.extensions.call import Call
from headrace.extensions.picker.decide import Question, decide, least
from headrace.extensions.picker.decision import Decision, Fault, How, line_of
from headrace.extensions.picker.plans import Plans
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.snapshot import Endpoint, PoolState, Reservation
from headrace.extensions.picker.store import Store
from headrace.extensions.picker.subset import NAMESPACE as SUBSET_NAMESPACE
from headrace.extensions.picker.subset import subset_of
from headrace.extensions.picker.values import PickValues
from headrace.extensions.reasons import Reason
from headrace.extensions.records import RuleError
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Continue,
    ExchangeInfo,
    Filter,
    Needs,
    OnFailure,
    Outcome,
    Reject,
    Request,
    ResponseHead,
    ResponseNeed,
    Route,
)

LB = "envoy.lb"
DESTINATION = "x-gateway-destination-endpoint"
SERVED = "x-gateway-destination-endpoint-served"
NEEDS = Needs(
    request_body=True,
    response=ResponseNeed.NONE,
    forwarding=frozenset({LB, SUBSET_NAMESPACE}),
    receiving=frozenset({LB}),
)
EMPTY_INDEX_BYTES = 1


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


@dataclass(frozen=True, slots=True)
class Served:
    """The proxy went elsewhere than to the endpoint that was picked, e.g. to a fallback."""

    pool: str
    picked: str
    served: str


@dataclass(frozen=True, slots=True)
class Picker:
    """Choose the endpoint of every request. Without a working policy, the least busy one."""

    program: Program = field(repr=False)
    store: Store = field(repr=False)
    seed: int = 0
    name: str = "picker"
    needs: Needs = NEEDS
    deadline_s: float = 1.0
    on_failure: OnFailure = OnFailure.FALLBACK
    reads_prefix: bool = True
    plans: Plans = field(default_factory=Plans, repr=False)

    def open(self, info: ExchangeInfo) -> Filter | None:
        return PickFilter(self)


class PickFilter(Filter):
    """The pick of one exchange, and its reservation until the end."""

    __slots__ = ("_had_blocks", "_picker", "_reservation", "_values")

    def __init__(self, picker: Picker) -> None:
        self._picker = picker
        self._reservation: Reservation | None = None
        self._values: PickValues | None = None
        self._had_blocks = 0  # of this prompt, at the endpoint picked, before the pick

    def on_request(self, request: Request, now_s: float) -> Action:
        """Shed, or pick and reserve."""
        route = request.route or self._only_pool(request)
        if route is None:
            return Reject(
                Reason.NO_ENDPOINTS,
                "no pool was chosen for this request; the operator must put `body_router` before "
                "`picker` in the chain",
            )
        store = self._picker.store
        snapshot = store.snapshot
        pool = snapshot.pools.get(route.pool) or PoolState(route.pool)
        index = store.prefixes.get(route.pool) or PrefixIndex(EMPTY_INDEX_BYTES)
        values = self._values = PickValues(request, route, index)
        shed, faults = self._overload(values, pool, now_s)
        if shed is not None:
            return shed
        decision = decide(
            Question(
                pool,
                values,
                self._profile(route.profile),
                self._picker.program.profiles,
                now_s,
                self._picker.seed,
                subset_of(request.metadata),
                snapshot.epoch,
                faults,
            ),
            self._picker.plans,
        )
        return self._take(decision, now_s)

    def on_response_headers(self, head: ResponseHead, now_s: float) -> Action:
        """Follow the request to where the proxy says it was served."""
        reservation = self._reservation
        if head.local or reservation is None or not head.metadata:
            return CONTINUE
        served = head.metadata.get(LB, {}).get(SERVED)
        if not isinstance(served, str) or served == reservation.address:
            return CONTINUE
        pool = self._picker.store.snapshot.pools.get(reservation.pool)
        if pool is None or pool.get(served) is None:
            return CONTINUE
        self._move(reservation, served, now_s)
        return Continue(records=(Served(reservation.pool, reservation.address, served),))

    def on_end(self, outcome: Outcome, now_s: float) -> None:
        self._release(now_s)

    def fallback(self, request: Request, now_s: float) -> Action:
        """Pick without the policy, which has just failed: least in flight among the ready."""
        route = request.route or self._only_pool(request)
        store = self._picker.store
        pool = store.snapshot.pools.get(route.pool) if route else None
        if route is None or pool is None:
            return Reject(Reason.NO_ENDPOINTS, "the picker failed, and no pool was chosen")
        values = PickValues(request, route, PrefixIndex(EMPTY_INDEX_BYTES))
        profile = Profile("fallback", self._picker.program.pools[route.pool].span)
        question = Question(
            pool,
            values,
            profile,
            {},
            now_s,
            self._picker.seed,
            subset_of(request.metadata),
            store.snapshot.epoch,
        )
        self._values = None
        return self._take(least(question, How.FALLBACK), now_s)

    def _only_pool(self, request: Request) -> Route | None:
        """Return the route to the policy's only pool, for chains without a body router."""
        pools = self._picker.program.pools
        if len(pools) != 1:
            return None
        (pool,) = pools.values()
        model = request.call.model if isinstance(request.call, Call) else ""
        return Route(model, pool.name, model, profile=pool.profile or "default")

    def _profile(self, name: str) -> Profile:
        profile = self._picker.program.profiles.get(name)
        assert profile is not None, f"the compiler lets no route name the unknown profile {name}"
        return profile

    def _overload(
        self, values: PickValues, pool: PoolState, now_s: float
    ) -> tuple[Reject | None, tuple[Fault, ...]]:
        """Return the reject of the first shed rule that holds, and what failed on the way."""
        faults: list[Fault] = []
        for overload in self._picker.program.overloads:
            if overload.pools and pool.name not in overload.pools:
                continue
            if not _holds(overload.when, values, pool, now_s, faults):
                continue
            for shed in overload.sheds:
                if _holds(shed.when, values, pool, now_s, faults):
                    errors = [RuleError(f.rule, f.kind) for f in faults]
                    return _reject(overload, shed, values, pool, errors), tuple(faults)
        return None, tuple(faults)

    def _take(self, decision: Decision, now_s: float) -> Action:
        """Reserve the chosen endpoint and tell the proxy, in header and metadata alike."""
        if decision.chosen is None:
            return Reject(Reason.NO_ENDPOINTS, _nowhere(decision), records=(decision,))
        self._release(now_s)
        store = self._picker.store
        self._reservation = store.reserve(decision.pool, decision.chosen, now_s)
        self._learn(decision.pool, decision.chosen)
        where = ",".join(decision.destinations)
        return Continue(
            set_headers={DESTINATION: where},
            metadata={LB: {DESTINATION: where}},
            records=(decision,),
        )

    def _learn(self, pool: str, address: str) -> None:
        """Note what the endpoint will have cached, if any rule looks at that."""
        values = self._values
        if values and (self._picker.reads_prefix or values.prefix_was_read):
            self._had_blocks = round(values.prefix.get(address, 0.0) * len(values.hashes))
            self._picker.store.prefixes[pool].insert(address, values.hashes)

    def _move(self, reservation: Reservation, served: str, now_s: float) -> None:
        """Count the request at *served*; the endpoint picked was not sent its prompt."""
        store, values = self._picker.store, self._values
        self._reservation = store.move(reservation, served, now_s)
        if values and values.prefix_was_read:
            index = store.prefixes[reservation.pool]
            index.withdraw(reservation.address, values.hashes[self._had_blocks :])
            index.insert(served, values.hashes)

    def _release(self, now_s: float) -> None:
        if self._reservation is not None:
            self._picker.store.release(self._reservation, now_s)
            self._reservation = None


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


def _nowhere(decision: Decision) -> str:
    if not decision.endpoints:
        return f"pool `{decision.pool}` has no endpoints"
    ready = sum(e.ready for e in decision.endpoints)
    if ready:
        return f"none of the {ready} ready endpoints of pool `{decision.pool}` is eligible here"
    return f"no endpoint of pool `{decision.pool}` is ready; retry when its servers are up"
