"""Small stages that each do one thing, for the tests of the exchange."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Asking,
    Continue,
    Effect,
    EndReply,
    ExchangeInfo,
    Filter,
    Needs,
    OnFailure,
    Outcome,
    Request,
    ResponseEnd,
    ResponseEvent,
    ResponseHead,
    ResponseNeed,
    SendChunk,
    StartReply,
)


@dataclass(frozen=True, slots=True)
class Ping(Effect[str]):
    """Ask the world for *word*."""

    word: str


Hook = Callable[[Any], Action | Asking]


def go_on(_: object) -> Action:
    return CONTINUE


@dataclass(slots=True)
class Scripted(Filter):
    """A filter whose hooks are the functions of its stage."""

    stage: "Script"

    def on_request(self, request: Request, now_s: float) -> Action | Asking:
        self.stage.log.append(("request", request.body))
        return self.stage.request(request)

    def on_response_headers(self, head: ResponseHead, now_s: float) -> Action | Asking:
        self.stage.log.append(("head", head.status, head.local))
        return self.stage.head(head)

    def on_response_event(self, event: ResponseEvent, now_s: float) -> Action | Asking:
        self.stage.log.append(("event", event.data))
        return self.stage.event(event)

    def on_response_end(self, end: ResponseEnd, now_s: float) -> Action | Asking:
        self.stage.log.append(("end", end.body, end.truncated))
        return self.stage.end(end)

    def on_end(self, outcome: Outcome, now_s: float) -> None:
        self.stage.log.append(("over", outcome.termination))

    def fallback(self, request: Request, now_s: float) -> Action:
        return Continue(set_headers={"x-fallback": self.stage.name})


@dataclass(frozen=True, slots=True)
class Script:
    """A stage made of functions; *log* has every call of a hook."""

    name: str = "script"
    request: Hook = go_on
    head: Hook = go_on
    event: Hook = go_on
    end: Hook = go_on
    needs: Needs = field(default_factory=lambda: Needs(request_body=True))
    deadline_s: float = 0.5
    on_failure: OnFailure = OnFailure.CLOSED
    log: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])

    def open(self, info: ExchangeInfo) -> Filter:
        return Scripted(self)


OBSERVE = Needs(response=ResponseNeed.OBSERVE)
GATE = Needs(response=ResponseNeed.GATE)
BODY = Needs(request_body=True)
ALL = Needs(request_body=True, response=ResponseNeed.GATE)


async def ask_twice(request: Request) -> Action:
    """Set a header from the replies to two effects."""
    first = await Ping("one")
    second = await Ping("two")
    return Continue(set_headers={"x-pings": f"{first} {second}"})


async def stream_hello(request: Request) -> Action:
    """Answer with three pieces and a trailer."""
    await StartReply(200, {"content-type": "text/event-stream"})
    for word in ("a", "b"):
        await SendChunk(f"data: {word}\n\n".encode())
        await Ping(word)
    return EndReply({"x-done": "yes"})


def shout(event: ResponseEvent) -> Action:
    """Change an event's bytes."""
    return Continue(body=event.raw.upper())
