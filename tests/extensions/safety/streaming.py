"""Send a chat through the safety stage as a host does, and see what the client gets."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from headrace.extensions.headers import EMPTY
from headrace.extensions.records import Guarded
from headrace.extensions.safety.desk import Desk
from headrace.extensions.safety.stage import safety
from headrace.extensions.stage import (
    Action,
    Continue,
    ExchangeInfo,
    Filter,
    Reject,
    Request,
    ResponseEnd,
    ResponseEvent,
    ResponseHead,
)
from tests.extensions.body_router.policies import opened, request
from tests.extensions.safety.doubles import World

DONE = b"data: [DONE]\n\n"
OK = ResponseHead(200, EMPTY)


def asking(*texts: str, stream: bool = True, model: str = "m") -> Request:
    """Return a chat in which the user says *texts*."""
    messages = [{"role": "user", "content": text} for text in texts]
    return request(msgspec.json.encode({"model": model, "stream": stream, "messages": messages}))


def event(value: object) -> ResponseEvent:
    """Return the event with *value* as its data."""
    data = msgspec.json.encode(value)
    return ResponseEvent(b"data: " + data + b"\n\n", data, True)


def raw_event(raw: bytes, data: bytes = b"") -> ResponseEvent:
    return ResponseEvent(raw, data, True)


def delta(text: str, choice: int = 0, field: str = "content") -> ResponseEvent:
    """Return the event in which the model writes *text*."""
    return event({"choices": [{"index": choice, "delta": {field: text}}]})


def finish(choice: int = 0) -> ResponseEvent:
    nothing: dict[str, str] = {}
    return event({"choices": [{"index": choice, "delta": nothing, "finish_reason": "stop"}]})


def done() -> ResponseEvent:
    return ResponseEvent(DONE, b"[DONE]", True)


def said(raw: bytes, choice: int = 0, field: str = "content") -> str:
    """Return what the client reads of one choice in the bytes *raw*."""
    texts: list[str] = []
    for line in raw.split(b"\n"):
        if line.startswith(b"data: {"):
            for one in msgspec.json.decode(line[6:]).get("choices", []):
                if one["index"] == choice:
                    texts.append(one["delta"].get(field, ""))
    return "".join(texts)


@dataclass(slots=True)
class Client:
    """One exchange through the guards at *desk*, and what has come of it so far.

    got       what the client has after each event
    rejected  the answer that ended it
    """

    desk: Desk
    world: World = field(default_factory=World)
    got: list[bytes] = field(default_factory=list[bytes])
    records: list[object] = field(default_factory=list[object])
    rejected: Reject | None = None
    upstream: bytes | None = None
    filter: Filter = field(init=False)

    def ask(self, asked: Request) -> Action:
        """Send the request; returns what the stage decided."""
        info = ExchangeInfo("r-1", "default", asked.headers, self.world.now_s)
        self.filter = opened(safety(self.desk).open(info))
        action = self.world.run(self.filter.on_request(asked, self.world.now_s))
        self.records += action.records
        self.upstream = asked.body
        if isinstance(action, Reject):
            self.rejected = action
        elif isinstance(action, Continue) and action.body is not None:
            self.upstream = action.body
        return action

    def answered(self, events: Iterable[ResponseEvent], head: ResponseHead = OK) -> bytes:
        """Let the upstream answer with *events*, whole; returns all that the client gets."""
        self.filter.on_response_headers(head, self.world.now_s)
        for one in events:
            if self.rejected is None:
                self.next(one)
        if self.rejected is None:
            end = ResponseEnd(b"", True)
            action = self.world.run(self.filter.on_response_end(end, self.world.now_s))
            self._take(action, b"")
        return self.all

    def next(self, one: ResponseEvent) -> bytes:
        """Let one event come; returns what goes on at once."""
        action = self.world.run(self.filter.on_response_event(one, self.world.now_s))
        return self._take(action, one.raw)

    def _take(self, action: Action, raw: bytes) -> bytes:
        self.records += action.records
        if isinstance(action, Reject):
            self.rejected = action
            return b""
        assert isinstance(action, Continue)
        out = raw if action.body is None else action.body
        self.got.append(out)
        return out

    @property
    def all(self) -> bytes:
        return b"".join(self.got)

    def proofs(self, direction: str = "response") -> dict[str, Guarded]:
        """Return the proof of each guard."""
        found = [r for r in self.records if isinstance(r, Guarded) and r.direction == direction]
        assert len({r.guard for r in found}) == len(found), "one proof of each guard"
        return {r.guard: r for r in found}


def waiting(desk: Desk, world: World | None = None, prompt: str = "hello") -> Client:
    """Return a client who waits for a stream to begin."""
    client = Client(desk, world or World())
    client.ask(asking(prompt))
    return client


def streamed(
    desk: Desk, events: Sequence[ResponseEvent], world: World | None = None, prompt: str = "hello"
) -> Client:
    """Return the client of one stream."""
    client = waiting(desk, world, prompt)
    client.answered(events)
    return client


def redacted(text: str, expression: str) -> str:
    """Return *text* as a guard that redacts *expression* would leave it, seen whole."""
    return re.sub(expression, "[redacted]", text)
