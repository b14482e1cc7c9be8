"""The picker stage: sheds, picks, reserves, and releases when the exchange is over."""

from dataclasses import dataclass, field

from headrace.dsl.program import Profile, Program
from headrace.extensions.call import Call
from headrace.extensions.picker.decide import Question, decide, least
from headrace.extensions.picker.decision import Decision, How
from headrace.extensions.picker.observed import Observed
from headrace.extensions.picker.placement import Placement
from headrace.extensions.picker.plans import Plans
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.pressure import pressed
from headrace.extensions.picker.snapshot import PoolState
from headrace.extensions.picker.store import Store
from headrace.extensions.picker.subset import NAMESPACE as SUBSET_NAMESPACE
from headrace.extensions.picker.subset import subset_of
from headrace.extensions.picker.values import PickValues
from headrace.extensions.reasons import Reason
from headrace.extensions.records import Usage
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

    __slots__ = ("_picker", "_place")

    def __init__(self, picker: Picker) -> None:
        self._picker = picker
        self._place = Placement(picker.store, picker.reads_prefix)

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
        values = PickValues(request, route, index)
        shed, faults = pressed(self._picker.program.overloads, values, pool, now_s)
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
        return self._take(decision, values, now_s)

    def on_response_headers(self, head: ResponseHead, now_s: float) -> Action:
        """Follow the request to where the proxy says it was served."""
        reservation = self._place.reservation
        if head.local or reservation is None or not head.metadata:
            return CONTINUE
        served = head.metadata.get(LB, {}).get(SERVED)
        if not isinstance(served, str) or served == reservation.address:
            return CONTINUE
        pool = self._picker.store.snapshot.pools.get(reservation.pool)
        if pool is None or pool.get(served) is None:
            return CONTINUE
        self._place.move(served, now_s)
        return Continue(records=(Served(reservation.pool, reservation.address, served),))

    def on_end(self, outcome: Outcome, now_s: float) -> None:
        self._place.end(outcome.status, _observed(outcome), now_s)

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
        return self._take(least(question, How.FALLBACK), None, now_s)

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

    def _take(self, decision: Decision, values: PickValues | None, now_s: float) -> Action:
        """Reserve the chosen endpoint and tell the proxy, in header and metadata alike."""
        if decision.chosen is None:
            return Reject(Reason.NO_ENDPOINTS, _nowhere(decision), records=(decision,))
        self._place.take(decision.pool, decision.chosen, values, now_s)
        where = ",".join(decision.destinations)
        return Continue(
            set_headers={DESTINATION: where},
            metadata={LB: {DESTINATION: where}},
            records=(decision,),
        )


def _observed(outcome: Outcome) -> Observed:
    """Return what the server counted; without a stage that reads that, the events of a stream."""
    for run in outcome.runs:
        for record in run.records:
            if isinstance(record, Usage):
                return Observed(record.input_tokens, record.cached_tokens, record.output_tokens)
    return Observed(answer_tokens=outcome.event_count if outcome.event_stream else None)


def _nowhere(decision: Decision) -> str:
    if not decision.endpoints:
        return f"pool `{decision.pool}` has no endpoints"
    ready = sum(e.ready for e in decision.endpoints)
    if ready:
        return f"none of the {ready} ready endpoints of pool `{decision.pool}` is eligible here"
    return f"no endpoint of pool `{decision.pool}` is ready; retry when its servers are up"
