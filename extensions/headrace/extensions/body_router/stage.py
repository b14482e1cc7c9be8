"""The body router: from the model that a body names to a pool, a priority and a profile."""

import dataclasses
from dataclasses import dataclass, field

from msgspec.structs import replace

from headrace.dsl.program import Class, Model, RuleFault
from headrace.extensions.apis import KNOWN, Api
from headrace.extensions.body_router.bases import HEADER as BASE_HEADER
from headrace.extensions.body_router.bases import Bases
from headrace.extensions.body_router.listing import Listing
from headrace.extensions.body_router.table import Entry, Table, Target, bucket_of
from headrace.extensions.body_router.values import Facts, facts
from headrace.extensions.call import (
    Call,
    CallFault,
    api_of,
    is_name,
    parse_call,
    shown,
)
from headrace.extensions.control import named_objective, named_rewrite
from headrace.extensions.hints import TEXT_MAX as SESSION_MAX
from headrace.extensions.priorities import Priorities
from headrace.extensions.reasons import Reason
from headrace.extensions.records import Routing, RuleError, ShareOf
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Continue,
    ExchangeInfo,
    Filter,
    Needs,
    OnFailure,
    Reject,
    Request,
    Route,
)
from headrace.extensions.texts.patch import with_model

NEEDS = Needs(request_body=True)
MIRROR_HEADER = "x-headrace-mirror"
# What Envoy's router appends to the host of a copy (config.route.v3.RouteAction).
COPY_SUFFIX = "-shadow"
UNKNOWN_OBJECTIVE = (RuleError("objective", "unknown"),)
BODILESS = frozenset(("GET", "HEAD", "OPTIONS", ""))  # RFC 9110 section 9.2.1: safe to pass on
BODY_CURE = "set `request_body_mode` of the ext_proc filter to FULL_DUPLEX_STREAMED"


class Router(Filter):
    """Routes one request. Keeps nothing of an exchange, so that one serves them all."""

    __slots__ = ("_bases", "_classes", "_listing", "_objectives", "_shares", "_table")

    def __init__(
        self,
        table: Table,
        classes: tuple[Class, ...],
        listing: Listing,
        objectives: Priorities,
        bases: Bases,
    ) -> None:
        self._bases = bases
        self._objectives = objectives
        self._table = table
        self._classes = classes
        self._listing = listing
        unnamed = () if table.unnamed is None else (table.unnamed,)
        entries = (*table.exact.values(), *table.patterns, *unnamed)
        self._shares = {
            entry.model.name: tuple(ShareOf(t.pool, t.share) for t in entry.targets)
            for entry in entries
        }

    def on_request(self, request: Request, now_s: float) -> Action:
        """Decide where *request* goes, or answer for it. What is routed already stays so."""
        if request.route is not None:
            return CONTINUE
        path = request.path
        if path and api_of(path) is None:
            passing = self._table.passing(path.partition("?")[0])
            if passing is not None:
                return self._unread(request, passing, now_s)
            return self._listing.answer(request) or self._elsewhere(request, now_s)
        if request.method not in ("POST", ""):
            return _wrong_method(request.method, "POST")
        if not path and _is_bodiless(request):
            return self._elsewhere(request, now_s)
        rewrite = named_rewrite(request.headers)
        if rewrite and not is_name(rewrite):
            message = "the header that rewrites the model names none; send printable characters"
            return Reject(Reason.INVALID_MODEL, message, param="model")
        call = _call_of(request)
        if isinstance(call, Reject):
            if call.reason is not Reason.MISSING_MODEL or not rewrite:
                return call
            call = _named(request, rewrite)
            if isinstance(call, Reject):
                return call
            return self._find(request, call, now_s, rewrite, "")
        return self._find(request, call, now_s, rewrite, call.model)

    def _unread(self, request: Request, entry: Entry, now_s: float) -> Continue:
        """Route what the policy lets pass as it is."""
        going = self._route(request, "", entry, now_s)
        assert going.route is not None, "it was just routed"
        unscreened = entry.model.unscreened
        route = dataclasses.replace(going.route, unread=True, unscreened=unscreened)
        return replace(going, route=route)

    def _elsewhere(self, request: Request, now_s: float) -> Action:
        """Route what asks for no model: to the servers of model `*`, or of the only pool."""
        entry = self._table.unnamed
        if entry is None or request.method not in BODILESS or not _is_bodiless(request):
            return _unknown_path(request.path)
        return self._route(request, "", entry, now_s)

    def _find(self, request: Request, call: Call, now_s: float, rewrite: str, said: str) -> Action:
        """Route *call*; *said* is what its path or its body has as the model."""
        asked = call.model
        entry = self._table.find(asked) if asked else None
        if entry is None and rewrite:
            entry = self._table.find(rewrite)
        if entry is None and not asked:
            entry = self._table.unnamed
        if entry is None:
            return self._unknown(asked)
        going = self._route(request, asked, entry, now_s, rewrite)
        assert going.route is not None, "it was just routed"
        target = going.route.target
        if target == said or call.api.grpc:  # a message of gRPC has no place for a model
            return going
        if call.in_path:
            message = f"model `{asked}` is named by the path, and the policy asks for another"
            cure = "let its `rewrite` out" if call.api is Api.GEMINI else "name it in the body"
            return Reject(Reason.CHANGE_REFUSED, f"{message}; {cure}", param="model")
        assert request.body is not None, "a call was read from a body"
        return replace(going, body=with_model(request.body, target))

    def _unknown(self, asked: str) -> Reject:
        if not asked:
            message = f"`model` is missing, and there is more than one; {self._table.known()}"
            return Reject(Reason.MISSING_MODEL, message, param="model")
        message = f"unknown model `{asked}`; {self._table.known()}"
        return Reject(Reason.UNKNOWN_MODEL, message, param="model", code="model_not_found")

    def _route(
        self, request: Request, asked: str, entry: Entry, now_s: float, rewrite: str = ""
    ) -> Continue:
        model = entry.model
        bucket = bucket_of(request.id, model.name)
        target = entry.target(bucket)
        priority, objective, unknown = self._objective(request, model, asked, target.pool)
        matched, session, errors = self._classify(request, asked, entry, priority, now_s)
        route = _route_of(asked, entry, target, bucket, matched, priority)
        if session is not None:
            route = dataclasses.replace(route, session=session)
        if self._objectives.clustered:
            rewrite = self._rewritten(asked, target.pool, request.id) or rewrite
        if rewrite and not target.rewrite:  # what the policy says to ask for goes first
            adapter = rewrite if route.adapter else ""
            route = dataclasses.replace(route, target=rewrite, adapter=adapter)
        routing = Routing(
            asked=asked,
            model=model.name,
            pool=target.pool,
            target=route.target,
            adapter=route.adapter,
            priority=route.priority,
            profile=route.profile,
            classes=tuple([found.name for found in matched]),
            share_bucket=bucket,
            shares=self._shares[model.name],
            objective=objective,
            mirror="" if not entry.mirrors or _is_copy(request) else entry.mirror(request.id),
        )
        headers = {"x-headrace-pool": target.pool}
        if asked:
            headers["x-gateway-model-name"] = asked
            base = self._bases.of(asked, route)
            if base:
                headers[BASE_HEADER] = base
        if routing.mirror:
            headers[MIRROR_HEADER] = routing.mirror
        return Continue(
            set_headers=headers,
            clear_route_cache=True,
            route=route,
            records=(routing, *unknown, *errors),
        )

    def _objective(
        self, request: Request, model: Model, asked: str, pool: str
    ) -> tuple[int, str, tuple[RuleError, ...]]:
        """Return a priority, the objective it is of, and the error of naming an unknown one.

        The objective that the request names goes before the model's.
        """
        known, name = self._objectives, named_objective(request.headers)
        unknown: tuple[RuleError, ...] = ()
        if name:
            found = known.find(name, pool)
            if found is not None:
                return (*found, ())
            unknown = UNKNOWN_OBJECTIVE
        if known.clustered:
            return (*known.of_model(model, asked, pool), unknown)
        return model.priority, model.objective or "", unknown

    def _rewritten(self, asked: str, pool: str, request_id: str) -> str:
        """Return whom a cluster says to ask for instead of *asked*; empty if it says nothing."""
        targets = self._objectives.notes(pool).targets(asked) if asked else None
        return targets.name(bucket_of(request_id, targets.source)) if targets else ""

    def _classify(
        self, request: Request, asked: str, entry: Entry, priority: int, now_s: float
    ) -> tuple[list[Class], str | None, list[RuleError]]:
        """Return the classes that match, the session by them, and the rules that failed."""
        if not self._classes:
            return [], None, []
        values = facts(request)
        values.model = asked
        values.priority = priority
        values.adapter = _adapter(entry.model, asked)
        values.asked = entry.asked
        matched, errors = _classify(self._classes, values, now_s)
        session = _session(matched, values, now_s, errors)
        return matched, session, errors


@dataclass(frozen=True, slots=True)
class BodyRouter:
    """The stage `body_router`."""

    router: Router = field(repr=False)
    name: str = "body_router"
    needs: Needs = NEEDS
    deadline_s: float = 1.0
    on_failure: OnFailure = OnFailure.CLOSED

    def open(self, info: ExchangeInfo) -> Filter:
        """Return the one filter that serves all exchanges."""
        return self.router


def _call_of(request: Request) -> Call | Reject:
    """Return the call in *request*, parsed by the host or, failing that, here."""
    call = request.call
    if isinstance(call, Call):
        return call
    if call is None:
        if request.body is None:
            message = f"the request body did not reach the gateway's router; {BODY_CURE}"
            return Reject(Reason.BODY_UNAVAILABLE, message)
        call = parse_call(request.path, request.headers.get("content-type"), request.body)
    match call:
        case Call():
            return call
        case CallFault(reason, message, param):
            return Reject(reason, message, param=param)


def _classify(
    classes: tuple[Class, ...], values: Facts, now_s: float
) -> tuple[list[Class], list[RuleError]]:
    """Return the classes that match, up to the first without `also`, and the rules that failed."""
    matched: list[Class] = []
    errors: list[RuleError] = []
    for kind in classes:
        verdict = kind.when.test(values, None, now_s)
        if isinstance(verdict, RuleFault):
            errors.append(RuleError(f"class {kind.name}", verdict.kind))
        elif verdict:
            matched.append(kind)
            if not kind.also:
                break
    return matched, errors


def _session(
    matched: list[Class], values: Facts, now_s: float, errors: list[RuleError]
) -> str | None:
    """Return the session that the first of *matched* to say one means; a fault means none."""
    for kind in matched:
        if kind.session is None:
            continue
        said = kind.session.value(values, None, now_s)
        if isinstance(said, RuleFault):
            errors.append(RuleError(kind.session.rule.name, said.kind))
            return ""
        return said[:SESSION_MAX]
    return None


def _route_of(
    asked: str,
    entry: Entry,
    target: Target,
    bucket: float,
    matched: list[Class],
    priority: int,
) -> Route:
    """Return the route. Of several classes the first to state a thing decides it."""
    model = entry.model
    priorities = (kind.priority for kind in matched if kind.priority is not None)
    profiles = (kind.profile for kind in matched if kind.profile is not None)
    return Route(
        model=model.name,
        pool=target.pool,
        target=target.rewrite or asked,
        adapter=_adapter(model, asked),
        priority=next(priorities, priority),
        profile=next(profiles, target.profile),
        kind=matched[0].name if matched else "",
        share_bucket=bucket,
        asked=entry.asked,
    )


def _adapter(model: Model, asked: str) -> str:
    """Return the adapter that *asked* means; an alias means the model it stands for."""
    return (model.alias_of or asked) if model.adapter else ""


def _is_copy(request: Request) -> bool:
    """Return whether *request* is a copy that a proxy before us has made; it has no copies."""
    return request.headers.get(":authority").partition(":")[0].endswith(COPY_SUFFIX)


def _is_bodiless(request: Request) -> bool:
    """Return whether *request* ended with its head. A body that was not shown is None."""
    return request.body == b"" and request.call is None


def _named(request: Request, model: str) -> Call | Reject:
    """Return the call in *request*, whose body names no model, as one for *model*."""
    assert request.body is not None, "a fault was found in it"
    body = with_model(request.body, model)
    call = parse_call(request.path, request.headers.get("content-type"), body)
    if isinstance(call, CallFault):
        return Reject(call.reason, call.message, param=call.param)
    return call


def _unknown_path(path: str) -> Reject:
    message = f"no inference API at path `{shown(path)}`; known: {KNOWN}, /v1/models"
    return Reject(Reason.UNKNOWN_PATH, message)


def _wrong_method(method: str, allowed: str) -> Reject:
    message = f"method `{shown(method, 16)}` does not fit this path; use {allowed}"
    return Reject(Reason.METHOD_NOT_ALLOWED, message, headers={"allow": allowed})
