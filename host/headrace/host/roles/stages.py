"""The steps that join the roles of one request: hand its route on, take it over, keep a pool."""

from dataclasses import dataclass, field, replace

from headrace.dsl.program import Program
from headrace.extensions.body_router.bases import HEADER as BASE
from headrace.extensions.body_router.table import DEFAULT_PROFILE, model_facts
from headrace.extensions.call import Call
from headrace.extensions.control import named_objective
from headrace.extensions.handover import HANDED, Handed, Seal, handed
from headrace.extensions.priorities import Priorities
from headrace.extensions.records import HandedOn, Routing, RuleError
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Continue,
    ExchangeInfo,
    Filter,
    Needs,
    OnFailure,
    Request,
    ResponseHead,
    Route,
)

NO_NEEDS = Needs()
MODEL = "x-gateway-model-name"
POOL, MIRROR = "x-headrace-pool", "x-headrace-mirror"
FORGED = RuleError(HANDED, "forged")
UNKNOWN = RuleError(HANDED, "unknown")  # to the policy of this process


class HandOver(Filter):
    """Signs the route of a request. Keeps nothing, so that one serves all exchanges."""

    __slots__ = ("_record", "_seal")

    def __init__(self, seal: Seal, record: tuple[HandedOn, ...]) -> None:
        self._seal = seal
        self._record = record

    def on_request(self, request: Request, now_s: float) -> Action:
        """Say in a header where *request* goes, unless a role before has said so."""
        route, headers = request.route, request.headers
        if route is None or headers.get(HANDED):
            return Continue(records=self._record) if self._record else CONTINUE
        asked, mirror, base = (headers.get(name) for name in (MODEL, MIRROR, BASE))
        said = handed(request.id, asked, route, mirror, base)
        token = self._seal.sign(said)
        return Continue(set_headers={HANDED: token} if token else {}, records=self._record)


class TakeOver(Filter):
    """Believes what is signed of a request. Keeps nothing, so that one serves all exchanges.

    last  whether no role follows, so that nothing need be handed on
    """

    __slots__ = ("_last", "_program", "_seal")

    def __init__(self, program: Program, seal: Seal, last: bool) -> None:
        self._program = program
        self._seal = seal
        self._last = last

    def on_request(self, request: Request, now_s: float) -> Action:
        """Route *request* as the role that routes has decided."""
        token = request.headers.get(HANDED)
        if not token:
            return CONTINUE
        said = self._seal.read(request.id, token)
        if said is None:
            return Continue(remove_headers=(HANDED,), records=(FORGED,))
        route = self._route(said)
        if route is None:
            return Continue(remove_headers=(HANDED,), records=(UNKNOWN,))
        return Continue(
            set_headers=_headers(said),
            remove_headers=(HANDED,) if self._last else (),
            route=route,
            records=(_routing(said),),
        )

    def _route(self, said: Handed) -> Route | None:
        """Return the route, if the policy knows all that it names: it may be another's."""
        program = self._program
        if said.pool not in program.pools or said.profile not in program.profiles:
            return None
        route, model = said.route(), program.models.get(said.model)
        return route if model is None else replace(route, asked=model_facts(model))


class Unasked(Filter):
    """Notes an answer whose request never came here. Keeps nothing, so that one serves all.

    Envoy shows the answer of one role to the filters of those behind it, which were not asked.
    """

    __slots__ = ()

    def on_response_headers(self, head: ResponseHead, now_s: float) -> Action:
        """Say that another role reports it."""
        return Continue(records=(HandedOn(),))


UNASKED = Unasked()


class Pin(Filter):
    """Keeps requests in one pool: the gateway has chosen it, and goes nowhere else."""

    __slots__ = ("_objectives", "_pool", "_profile")

    def __init__(self, pool: str, profile: str, objectives: Priorities) -> None:
        self._pool = pool
        self._profile = profile
        self._objectives = objectives

    def on_request(self, request: Request, now_s: float) -> Action:
        """Route *request* to the pool, with what is known of it."""
        route, pool = request.route, self._pool
        if route is not None and route.pool == pool:
            return CONTINUE
        if route is not None:
            route = replace(route, pool=pool, profile=self._profile)
            return Continue(set_headers={POOL: pool}, route=route)
        model = request.call.model if isinstance(request.call, Call) else ""
        found = self._objectives.find(named_objective(request.headers), pool)
        priority = found[0] if found else 0
        return Continue(route=Route(model, pool, model, priority=priority, profile=self._profile))


@dataclass(frozen=True, slots=True)
class Step:
    """The stage round a filter that serves all exchanges. If it fails, the exchange goes on.

    unasked  the filter of those that begin with an answer; None: there need be none
    """

    filter: Filter = field(repr=False)
    name: str
    unasked: Filter | None = field(default=None, repr=False)
    needs: Needs = NO_NEEDS
    deadline_s: float = 1.0
    on_failure: OnFailure = OnFailure.OPEN

    def open(self, info: ExchangeInfo) -> Filter | None:
        """Return the one filter, or that of an exchange without a request."""
        return self.filter if info.headers.pairs else self.unasked


def pin(program: Program, pool: str, objectives: Priorities) -> Pin:
    """Return what keeps requests in *pool*, which *program* has."""
    return Pin(pool, program.pools[pool].profile or DEFAULT_PROFILE, objectives)


def _headers(said: Handed) -> dict[str, str]:
    """Return what the role that routes has said in headers, which are believed from it alone."""
    headers = {POOL: said.pool}
    if said.asked:
        headers[MODEL] = said.asked
    if said.mirror:
        headers[MIRROR] = said.mirror
    if said.base:
        headers[BASE] = said.base
    return headers


def _routing(said: Handed) -> Routing:
    return Routing(
        asked=said.asked,
        model=said.model,
        pool=said.pool,
        target=said.target,
        adapter=said.adapter,
        priority=said.priority,
        profile=said.profile,
        classes=(said.kind,) if said.kind else (),
        share_bucket=said.share_bucket,
        shares=(),
        mirror=said.mirror,
        taken_over=True,
    )
