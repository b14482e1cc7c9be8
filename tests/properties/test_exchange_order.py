"""Whatever Envoy sends, in any order, the exchange never raises and never breaks the order."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.extensions.control import forged
from headrace.extensions.headers import Headers
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Answer,
    Asking,
    Continue,
    Needs,
    OnFailure,
    Reject,
    ResponseNeed,
    Stage,
    union,
)
from headrace.host.exchange.exchange import Exchange
from headrace.host.exchange.limits import Limits
from headrace.host.exchange.part import BodyMode, Chunk, Direction, Head, Modes, Part, Trailers
from headrace.host.exchange.plan import Plan
from headrace.host.exchange.reply import Cancel, Output, Perform
from tests.host.exchange.rules import Rules
from tests.host.exchange.stages import Script, ask_twice, stream_hello


def fail(_: object) -> Action:
    raise ValueError("a stage fails")


def always(action: Action) -> Callable[[Any], Action | Asking]:
    """Return a hook that gives *action*."""
    return lambda _: action


REQUEST_HOOKS: list[Callable[..., Action | Asking]] = [
    always(CONTINUE),
    always(Continue(set_headers={"x-a": "1"}, clear_route_cache=True)),
    always(Continue(body=b"changed")),
    always(Reject(Reason.SHED, "later")),
    always(Answer(200, b"{}")),
    ask_twice,
    stream_hello,
    fail,
]
RESPONSE_HOOKS: list[Callable[..., Action | Asking]] = [
    always(CONTINUE),
    always(Continue(set_headers={"x-b": "1"})),
    always(Continue(body=b"data: y\n\n")),
    always(Reject(Reason.SAFETY_BLOCKED, "no")),
    ask_twice,
    fail,
]
HEADERS = st.sampled_from(
    [
        Headers([(":method", "POST"), (":path", "/v1/completions")]),
        Headers([(":status", "200"), ("content-type", "text/event-stream")]),
        Headers([(":status", "200"), ("content-length", "5"), ("content-encoding", "gzip")]),
        Headers([(":status", "200"), ("content-type", "application/json")]),
        Headers(),
    ]
)
DIRECTIONS = st.sampled_from(Direction)
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Head, DIRECTIONS, HEADERS, st.booleans()),
    st.builds(
        Chunk, DIRECTIONS, st.sampled_from([b"", b"x", b"data: 1\n\n", b"z" * 200]), st.booleans()
    ),
    st.builds(Trailers, DIRECTIONS, HEADERS),
)
STAGES = st.lists(
    st.builds(
        Script,
        name=st.just("s"),
        request=st.sampled_from(REQUEST_HOOKS),
        head=st.sampled_from(RESPONSE_HOOKS),
        event=st.sampled_from(RESPONSE_HOOKS),
        end=st.sampled_from(RESPONSE_HOOKS),
        needs=st.builds(Needs, st.booleans(), st.sampled_from(ResponseNeed)),
        on_failure=st.sampled_from(OnFailure),
        log=st.builds(list[tuple[Any, ...]]),
    ),
    max_size=3,
)
MODES = st.builds(Modes, st.sampled_from(BodyMode), st.sampled_from(BodyMode))
STEPS = st.lists(
    st.one_of(PARTS, st.sampled_from(["resume", "refuse", "expire"])), min_size=1, max_size=14
)
IN_ORDER: list[Part] = [
    Head(Direction.REQUEST, Headers([(":method", "POST"), (":path", "/x")])),
    Chunk(Direction.REQUEST, b"ab"),
    Chunk(Direction.REQUEST, b"", True),
    Head(Direction.RESPONSE, Headers([(":status", "200"), ("content-type", "text/event-stream")])),
    Chunk(Direction.RESPONSE, b"data: 1\n\ndata: 2"),
    Chunk(Direction.RESPONSE, b"\n\n", True),
]


def play(
    stages: list[Script], modes: Modes, steps: list[Part | str], as_reference: bool = False
) -> Rules:
    """Send *steps* to a new exchange and check every output; return what the checker knows."""
    chain: tuple[Stage, ...] = tuple(stages)
    plan = Plan(
        "default",
        chain,
        Limits(body_bytes_max=300, gate_bytes_max=300, observe_bytes_max=300),
        lambda headers: forged(headers, frozenset()),
        union(stage.needs for stage in chain),
        clock=lambda: 0.0,
        as_reference=as_reference,
    )
    exchange, rules, now_s = Exchange(plan, modes, "id", "", 0.0), Rules(modes), 0.0
    waiting: list[int] = []

    def take(outputs: list[Output]) -> None:
        rules.check(outputs)
        waiting.extend(o.ticket for o in outputs if isinstance(o, Perform))
        for output in outputs:
            if isinstance(output, Cancel):
                waiting.remove(output.ticket)

    for step in steps:
        now_s += 0.01
        if not isinstance(step, str):
            rules.sent(step)
            take(exchange.receive(step, now_s))
        elif step == "expire":
            due_s = exchange.deadline()
            now_s = max(now_s, due_s if due_s is not None else now_s)
            take(exchange.expire(now_s))
        elif waiting and step == "resume":
            take(exchange.resume(waiting.pop(0), "pong", now_s))
        elif waiting:
            take(exchange.refuse(waiting.pop(0), "no", now_s))
    take(exchange.end("complete", now_s))

    assert not waiting
    for stage in stages:
        assert len([call for call in stage.log if call[0] == "over"]) <= 1
    return rules


@settings(max_examples=400, deadline=None)
@given(stages=STAGES, modes=MODES, steps=STEPS, as_reference=st.booleans())
def test_any_sequence_keeps_the_order(
    stages: list[Script], modes: Modes, steps: list[Part | str], as_reference: bool
) -> None:
    assert play(stages, modes, steps, as_reference).over is not None


@settings(max_examples=400, deadline=None)
@given(
    stages=STAGES,
    modes=MODES,
    noise=st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(["resume", "refuse", "expire"])), max_size=8
    ),
)
def test_a_proper_exchange_with_effects_at_any_time_keeps_the_order(
    stages: list[Script], modes: Modes, noise: list[tuple[int, str]]
) -> None:
    steps: list[Part | str] = list(IN_ORDER)
    for at, what in sorted(noise, reverse=True):
        steps.insert(at, what)

    assert play(stages, modes, steps).over is not None
