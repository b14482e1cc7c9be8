"""The pages of the last decisions: a list, one of them as a story, and the newest in words."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TypeVar

from aiohttp import web

from headrace.extensions.picker.explain import explain
from headrace.host.explain.encode import encoded
from headrace.host.explain.tell import Teller
from headrace.host.telemetry.ring import Kept, Ring, Wanted

LISTED, LISTED_MAX = 64, 1_000
FILTERS = tuple(Wanted.__struct_fields__)
NO_DECISION = "no request has been sent to an endpoint yet\n"
T = TypeVar("T")


def decision_routes(ring: Ring) -> Iterable[web.RouteDef]:
    """Return the routes; what takes long is told in a thread, so that no exchange waits for it.

    /decisions             the last exchanges as JSON, newest first; ``model``, ``pool``,
                           ``reason`` choose among them, ``limit`` says how many
    /decisions/last        the newest decision in words and numbers
    /decisions/REQUEST-ID  the story of one exchange, as `headrace explain` takes it; the
                           beginning of the id is enough
    """
    teller, turn = Teller(), asyncio.Lock()

    async def apart(tell: Callable[[], T]) -> T:
        async with turn:  # one at a time: a teller belongs to one thread
            return await asyncio.to_thread(tell)

    async def listed(request: web.Request) -> web.Response:
        try:
            wanted, limit = _asked(request.query)
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        found = list(islice(ring.newest(wanted), limit))
        body = await apart(lambda: encoded([_row(kept) for kept in found]))
        return web.Response(body=body, content_type="application/json")

    async def last(_: web.Request) -> web.Response:
        found = ring.decided()
        if found is None:
            return web.Response(status=404, text=NO_DECISION)
        decision, answered = found[1], _answered(found[0])
        return web.Response(text=await apart(lambda: explain(decision) + answered))

    async def one(request: web.Request) -> web.Response:
        kept = ring.find(request.match_info["id"])
        if kept is None:
            text = f"none of the last {len(ring)} exchanges has an id that begins so\n"
            return web.Response(status=404, text=text)
        body = await apart(lambda: encoded(teller.tell(kept.noted())))
        return web.Response(body=body, content_type="application/json")

    return (
        web.get("/decisions", listed),
        web.get("/decisions/last", last),
        web.get("/decisions/{id:.+}", one),
    )


def _asked(query: Mapping[str, str]) -> tuple[Wanted, int]:
    """Return which exchanges are asked for, and how many.

    Raises:
        ValueError: a parameter is unknown, or the limit is out of range.
    """
    for name in query:
        if name not in (*FILTERS, "limit"):
            known = ", ".join(f"`{known}`" for known in (*FILTERS, "limit"))
            raise ValueError(f"unknown parameter `{name}`; known: {known}")
    limit = query.get("limit", str(LISTED))
    if not (limit.isdecimal() and len(limit) <= 4 and 1 <= int(limit) <= LISTED_MAX):
        raise ValueError(f"`limit` is not a whole number of 1 to {LISTED_MAX}")
    return Wanted(*(query.get(name, "") for name in FILTERS)), int(limit)


def _answered(kept: Kept) -> str:
    """Return what the client was told after the pick instead of an answer from there, if it was."""
    if not kept.reason:
        return ""
    return f"answered {kept.outcome.status} {kept.reason}: {kept.outcome.message}\n"


def _row(kept: Kept) -> dict[str, object]:
    """Return all of one exchange's decision, and of one without a pick what there is."""
    outcome = kept.outcome
    picked = {} if kept.decision is None else kept.decision.as_json()
    return {
        "request": outcome.request.id,
        "model": kept.model,
        "priority": kept.priority,
        "pool": kept.pool,
        "how": "none",
        "chosen": None,
        "runner_up": None,
        "endpoints": [],
        **picked,
        "status": outcome.status,
        "reason": kept.reason,
        "message": outcome.message,
        "time_s": round(kept.time_s, 6),
        "policy": outcome.policy,
        "generation": outcome.generation,
    }
