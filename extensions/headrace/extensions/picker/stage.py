"""The picker stage: sheds or lets wait, picks, reserves, releases when the exchange is over."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace.dsl.program import Profile, Program
from headrace.extensions.call import Call
from headrace.extensions.control import TEST_SELECTION, named_objective
from headrace.extensions.picker.affinity import TOKEN, Tokens
from headrace.extensions.picker.beside import After, after
from headrace.extensions.picker.decide import Question, decide, least
from headrace.extensions.picker.decision import Decision, Fault, How
from headrace.extensions.picker.ending import Ending
from headrace.extensions.picker.eviction import Evicted, Stays, may_be_ended, relieve
from headrace.extensions.picker.gate import Gate
from headrace.extensions.picker.observed import Observed
from headrace.extensions.picker.placement import Keep, Placement, Watch
from headrace.extensions.picker.plans import Plans
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.pressure import Arrival, pressed
from headrace.extensions.picker.rank import DESTINATIONS_MAX
from headrace.extensions.picker.ranks import front
from headrace.extensions.picker.snapshot import PoolState
from headrace.extensions.picker.store import Store
from headrace.extensions.picker.subset import NAMESPACE as SUBSET_NAMESPACE
from headrace.extensions.picker.subset import Subset, named, subset_of
from headrace.extensions.picker.telling import DESTINATION as DESTINATION
from headrace.extensions.picker.telling import LB as LB
from headrace.extensions.picker.telling import Telling, nowhere, told
from headrace.extensions.picker.ties import Ties
from headrace.extensions.picker.values import PickValues
from headrace.extensions.picker.visit import Visit
from headrace.extensions.priorities import Priorities
from headrace.extensions.reasons import Reason
from headrace.extensions.records import RuleError
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Asking,
    Continue,
    ExchangeInfo,
    Filter,
    Needs,
    OnFailure,
    Outcome,
    Reject,
    Request,
    ResponseEvent,
    ResponseHead,
    ResponseNeed,
    Route,
)

SERVED = "x-gateway-destination-endpoint-served"
SERVED_ECHO = "x-conformance-test-served-endpoint"
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
    """Choose the endpoint of every request. Without a working policy, the least busy one.

    watch   what the rules make it necessary to see of answers
    keeps   what they make it necessary to remember of requests
    tokens  signs where a session is, for the client to bring back; None: it is not told
    tpot_s  model -> the time per token after the first that it promises
    conformance  obey and tell what the gateway's conformance tests send and look for
    emit_scores  tell the proxy the scores of all candidates
    destinations  how many endpoints the proxy is told at most, best first
    evicts  an overload of the policy may end what runs
    """

    program: Program = field(repr=False)
    store: Store = field(repr=False)
    seed: int = 0
    name: str = "picker"
    needs: Needs = NEEDS
    deadline_s: float = 1.0
    on_failure: OnFailure = OnFailure.FALLBACK
    reads_prefix: bool = True
    watch: Watch = Watch.NOTHING
    keeps: Keep = Keep.NOTHING
    tokens: Tokens | None = field(default=None, repr=False)
    tpot_s: Mapping[str, float] = field(default_factory=dict[str, float], repr=False)
    plans: Plans = field(default_factory=Plans, repr=False)
    conformance: bool = False
    emit_scores: bool = False
    destinations: int = DESTINATIONS_MAX
    gate: Gate | None = field(default=None, repr=False)
    objectives: Priorities = field(default_factory=Priorities, repr=False)
    evicts: bool = False

    def open(self, info: ExchangeInfo) -> Filter | None:
        return PickFilter(self) if self.watch is Watch.NOTHING else WatchingFilter(self)


class PickFilter(Filter):
    """The pick of one exchange, and its reservation until the end."""

    __slots__ = ("_beside", "_picker", "_place", "_request", "_stays", "_ties", "_visit")

    def __init__(self, picker: Picker) -> None:
        self._picker = picker
        self._place = Placement(picker.store, picker.reads_prefix, picker.watch, picker.keeps)
        self._beside: list[Placement] = []
        self._ties: Ties | None = None
        self._request: Request | None = None
        self._visit: Visit | None = None
        self._stays: tuple[Stays, int] | None = None

    def on_request(self, request: Request, now_s: float) -> Action | Asking:
        """Shed, or pick and reserve; first wait, if the policy has queues and it comes to that."""
        route = request.route or self._only_pool(request)
        if route is None:
            return Reject(
                Reason.NO_ENDPOINTS,
                "no pool was chosen for this request; the operator must put `body_router` before "
                "`picker` in the chain",
            )
        picker, store = self._picker, self._picker.store
        index = store.prefixes.get(route.pool)
        if index is None:  # an empty one is false, and says how prompts are cut
            index = PrefixIndex(EMPTY_INDEX_BYTES)
        affinity, media = store.affinities.get(route.pool), Keep.MEDIA in picker.keeps
        self._ties = Ties(request, route.pool, now_s, affinity, picker.tokens, media)
        values = PickValues(request, route, index, self._ties.find)
        values.tpot_s = picker.tpot_s.get(route.model)
        self._request = request
        if picker.gate is not None:
            self._visit = Visit(picker.gate, store, picker.seed, values, self._pick)
            action = self._visit.admit(now_s)
            if picker.evicts and not isinstance(action, Reject):
                self._relieve(values, now_s)
            return action
        pool = store.snapshot.pools.get(route.pool) or PoolState(route.pool)
        found = pressed(picker.program.overloads, Arrival(values, pool, now_s, picker.seed))
        if found.reject is not None:
            return found.reject
        if picker.evicts:
            self._relieve(values, now_s)
        return self._pick(values, now_s, found.faults)

    def _arrival(self, values: PickValues, now_s: float) -> Arrival:
        store, name = self._picker.store, values.route.pool
        pool = store.snapshot.pools.get(name) or PoolState(name)
        return Arrival(values, pool, now_s, self._picker.seed, store.flows.find(name))

    def _relieve(self, values: PickValues, now_s: float) -> None:
        """End what is less urgent, if the pool is overloaded."""
        stays = self._picker.store.stays.get(values.route.pool)
        if stays is not None:
            relieve(self._picker.program.overloads, self._arrival(values, now_s), stays)

    def _stay(self, values: PickValues | None, now_s: float) -> Evicted | None:
        """Return what to watch while the request runs, if it may be ended."""
        self._leave()
        if values is None:
            return None
        if not may_be_ended(self._picker.program.overloads, self._arrival(values, now_s)):
            return None
        stays = self._picker.store.stays.setdefault(values.route.pool, Stays())
        number, stay = stays.enter(values.priority, now_s)
        self._stays = stays, number
        return Evicted(stay)

    def _leave(self) -> None:
        if self._stays is not None:
            stays, number = self._stays
            stays.leave(number)
            self._stays = None

    def _pick(self, values: PickValues, now_s: float, faults: tuple[Fault, ...]) -> Action:
        """Decide by what is known now, and reserve."""
        request, route, snapshot = self._request, values.route, self._picker.store.snapshot
        assert request is not None, "there is no pick without a request"
        pool = snapshot.pools.get(route.pool) or PoolState(route.pool)
        question = Question(
            pool,
            values,
            self._profile(route.profile),
            self._picker.program.profiles,
            now_s,
            self._picker.seed,
            self._subset(request),
            snapshot.epoch,
            faults,
        )
        plans = self._picker.plans
        return self._take(after(decide(question, plans), question, plans), values, now_s)

    def on_response_headers(self, head: ResponseHead, now_s: float) -> Action:
        """Follow the request to where the proxy says it was served."""
        for place in self._beside if not head.local and head.status < 400 else ():
            place.release(now_s)  # who decodes answers when the prompt is computed
        if head.local:
            return CONTINUE
        moved: tuple[Served, ...] = ()
        said: dict[str, str] = {}
        served = head.metadata.get(LB, {}).get(SERVED) if head.metadata else None
        if isinstance(served, str):
            moved = self._follow(served, now_s)
            if self._picker.conformance:
                said[SERVED_ECHO] = served
        reservation = self._place.reservation
        if self._picker.tokens is not None and reservation is not None:
            said[TOKEN] = self._picker.tokens.sign(reservation.pool, reservation.address)
        return Continue(set_headers=said, records=moved) if said or moved else CONTINUE

    def _follow(self, served: str, now_s: float) -> tuple[Served, ...]:
        """Move the reservation to *served*, if it is another endpoint of the pool."""
        reservation = self._place.reservation
        if reservation is None or served == reservation.address:
            return ()
        port = self._ranks_port(reservation.pool)
        if port is not None and served == front(reservation.address, port):
            return ()
        pool = self._picker.store.snapshot.pools.get(reservation.pool)
        if pool is None or pool.get(served) is None:
            return ()
        self._place.move(served, now_s)
        return (Served(reservation.pool, reservation.address, served),)

    def on_end(self, outcome: Outcome, now_s: float) -> None:
        if self._stays is not None:
            self._leave()
        ending = Ending.of(outcome)
        self._place.end(ending, now_s)
        for place in self._beside:  # whose own answers nobody sees
            place.end(Ending(ending.status, False, Observed()), now_s)
        self._visit = None  # it leads back here: only a collection would free the two

    def left(self, now_s: float) -> tuple[object, ...]:
        """Return the record of a wait that nobody waits for the end of any more."""
        return () if self._visit is None else self._visit.left(now_s)

    def fallback(self, request: Request, now_s: float) -> Action:
        """Pick without the policy, which has just failed: least in flight among the ready."""
        unserved = self._visit.cut_short(now_s) if self._visit is not None else None
        if unserved is not None:
            return unserved
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
            self._subset(request),
            store.snapshot.epoch,
        )
        return self._take(After(least(question, How.FALLBACK)), None, now_s)

    def _only_pool(self, request: Request) -> Route | None:
        """Return the route to the policy's only pool, for chains without a body router."""
        pools = self._picker.program.pools
        if len(pools) != 1:
            return None
        (pool,) = pools.values()
        model = request.call.model if isinstance(request.call, Call) else ""
        found = self._picker.objectives.find(named_objective(request.headers), pool.name)
        priority = found[0] if found else 0
        profile = pool.profile or "default"
        return Route(model, pool.name, model, priority=priority, profile=profile)

    def _subset(self, request: Request) -> Subset | None:
        """Return the proxy's hint, or what a conformance test puts in its place."""
        if self._picker.conformance and TEST_SELECTION in request.headers:
            return named(request.headers.get(TEST_SELECTION))
        return subset_of(request.metadata)

    def _profile(self, name: str) -> Profile:
        profile = self._picker.program.profiles.get(name)
        assert profile is not None, f"the compiler lets no route name the unknown profile {name}"
        return profile

    def _take(self, found: After, values: PickValues | None, now_s: float) -> Action:
        """Reserve who was chosen and tell the proxy, in header and metadata alike."""
        decision, refusal, records = found.decision, found.refusal, (found.decision, *found.errors)
        if self._ties is not None and self._ties.forged:
            records = (*records, RuleError(TOKEN, "forged"))
        if decision.chosen is None:
            return nowhere(decision, records)
        if refusal is not None:
            status = refusal.status
            return Reject(Reason.REFUSED, refusal.message, status=status, records=records)
        comes_s = self._prefilled_s(decision, values, now_s) if decision.beside else None
        self._place.take(decision.pool, decision.chosen, values, now_s, comes_s)
        while self._beside:  # of a pick that came to nothing
            self._beside.pop().release(now_s)
        for role, other in decision.beside:
            assert other.chosen is not None, "nobody is not picked beside"
            place = self._place_beside(prefills=role == "prefill")
            place.take(other.pool, other.chosen, values if role == "prefill" else None, now_s)
            self._beside.append(place)
            if role == "encode" and values is not None and Keep.MEDIA in self._picker.keeps:
                self._picker.store.affinities[other.pool].sent(other.chosen, values.media)
        port = self._ranks_port(decision.pool)
        watch = self._stay(values, now_s) if self._picker.evicts else None
        scores = self._picker.emit_scores
        most = self._picker.destinations
        return told(Telling(decision, found.headers, records, port, scores, watch, most))

    def _ranks_port(self, pool: str) -> int | None:
        """Return the port that stands for all ranks of a host of *pool*; None: each has its own."""
        declared = self._picker.program.pools.get(pool)
        return None if declared is None else declared.ranks_port

    def _prefilled_s(
        self, decision: Decision, values: PickValues | None, now_s: float
    ) -> float | None:
        """Return in how long who prefills beside will be done; None if nobody does."""
        store, watched = self._picker.store, self._picker.watch is not Watch.NOTHING
        for role, other in decision.beside:
            if role == "prefill" and values is not None and other.chosen is not None:
                return (
                    store.expects(other.pool, other.chosen, values.work, now_s) if watched else 0.0
                )
        return None

    def _place_beside(self, *, prefills: bool) -> Placement:
        picker = self._picker
        keeps = picker.keeps & Keep.COLD  # its session stays with who answers
        modelled = prefills and picker.watch is not Watch.NOTHING
        return Placement(picker.store, picker.reads_prefix, Watch.NOTHING, keeps, modelled)


class WatchingFilter(PickFilter):
    """The pick of one exchange whose answer is followed, for the cost model to learn from.

    The head of a response is no sign of its first token: servers send it when a stream is
    opened, before the prompt is computed. The first piece of the body is.
    """

    __slots__ = ()

    def on_response_event(self, event: ResponseEvent, now_s: float) -> Action:
        """Note the first token, and of a stream each further one."""
        if event.event_stream:
            self._place.piece(now_s)
        return CONTINUE
