"""Exchanges that have ended, made by the real stages where a stage made the record."""

from headrace.dsl.program import Profile, Term
from headrace.extensions.body_router import build
from headrace.extensions.headers import Headers
from headrace.extensions.picker.decide import Question, decide
from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.store import Store
from headrace.extensions.reasons import Reason
from headrace.extensions.records import RuleError, Usage
from headrace.extensions.stage import (
    Continue,
    ExchangeInfo,
    Outcome,
    Request,
    StageRun,
)
from tests.extensions.body_router.policies import (
    BATCH,
    CHATBOT,
    changed,
    opened,
    program,
    request,
    site,
)
from tests.extensions.picker import build as picking

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ROUTER = build(program((CHATBOT,), (BATCH,)), site())
SECRET = "attack at dawn"
BODY = (
    b'{"model":"chatbot","stream":true,"max_tokens":50,'
    b'"messages":[{"role":"user","content":"' + SECRET.encode() + b'"}]}'
)


def routed(given: Request) -> tuple[Request, Continue]:
    """Return *given* as it leaves the body router, and what the router said."""
    info = ExchangeInfo(given.id, "default", given.headers, 0.0)
    action = opened(ROUTER.open(info)).on_request(given, 0.0)
    assert isinstance(action, Continue)
    return changed(given, route=action.route), action


def decision(endpoints: int = 3) -> Decision:
    """Return a pick among *endpoints*, of which the last is not ready."""
    addresses = tuple(f"10.0.0.{i + 1}:8000" for i in range(endpoints))
    policy = picking.program(pools={"gemma": addresses})
    store = Store.for_program(policy)
    for i, address in enumerate(addresses[:-1]):
        store.scraped("gemma", address, ServerFacts(i, 2 * i, 0.125 * (i % 8)), 9.5)
    terms = (
        Term(2.0, picking.KV_FREE),
        Term(1.0, picking.SHORT_QUEUE),
        Term(3.0, picking.PREFIX),
    )
    profile = Profile("default", picking.span("profile"), (picking.ALIVE,), (), terms)
    snapshot = store.snapshot
    asked = picking.Asked(id="r-0", model="chatbot", prefix={addresses[0]: 0.5})
    return decide(
        Question(snapshot.pools["gemma"], asked, profile, {}, 10.0, 7, epoch=snapshot.epoch)
    )


def served(endpoints: int = 3, traceparent: str = TRACEPARENT) -> Outcome:
    """Return a chat that was routed, picked and streamed to its end."""
    given, said = routed(request(BODY, "/v1/chat/completions?key=hidden", id="r-0"))
    usage = Usage(12, 34, 8, None)
    runs = (
        StageRun("body_router", "on_request", 10.0, 10.00002, "continue", records=said.records),
        StageRun(
            "picker", "on_request", 10.00002, 10.00006, "continue", records=(decision(endpoints),)
        ),
        StageRun("observability", "on_response_end", 12.0, 12.00001, "continue", records=(usage,)),
    )
    return Outcome(
        request=given,
        started_s=10.0,
        ended_s=12.5,
        status=200,
        termination="complete",
        decided_s=10.0001,
        response_head_s=10.25,
        first_event_s=10.3,
        last_event_s=12.4,
        event_count=35,
        event_stream=True,
        runs=runs,
        traceparent=traceparent,
        request_bytes=len(BODY),
        response_bytes=4096,
        policy="0123456789abcdef" * 4,
        generation=3,
    )


def shed() -> Outcome:
    """Return a batch request that was turned away, and so keeps no route."""
    given, said = routed(request(BODY, id="r-0", x_job="batch"))
    runs = (
        StageRun("body_router", "on_request", 10.0, 10.00002, "continue", records=said.records),
        StageRun("picker", "on_request", 10.00002, 10.00006, "reject"),
    )
    turned_away = changed(given, route=None)
    return Outcome(turned_away, 10.0, 10.001, 429, "complete", Reason.SHED, 10.0005, runs=runs)


def unknown() -> Outcome:
    """Return a request for a model that the policy does not have, with bytes that are no text."""
    given = request(b'{"model":"gpt-9","messages":[{"content":"x"}]}', id="r-\udcff")
    runs = (StageRun("body_router", "on_request", 10.0, 10.00002, "reject"),)
    return Outcome(given, 10.0, 10.001, 404, "complete", Reason.UNKNOWN_MODEL, 10.0005, runs=runs)


def failed() -> Outcome:
    """Return an exchange without a readable body, in which a stage failed open and a rule too."""
    error = RuleError("class broken", "division-by-zero")
    runs = (
        StageRun("body_router", "on_request", 10.0, 10.00002, "continue", records=(error,)),
        StageRun("custom", "on_request", 10.1, 10.2, "failed", "open", "KeyError at stage.py:7"),
    )
    return Outcome(Request("", Headers()), 10.0, 10.5, 0, "client-gone", runs=runs)
