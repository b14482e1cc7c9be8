"""A picker under a policy with queues, driven by hand: who waits, and what comes of it."""

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.extensions.call import Api, Call, Text
from headrace.extensions.headers import Headers
from headrace.extensions.picker import build
from headrace.extensions.picker.flow.control import FlowControl
from headrace.extensions.picker.flow.turn import Turn
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.stage import DESTINATION, PickFilter
from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Site
from headrace.extensions.stage import (
    Action,
    Continue,
    ExchangeInfo,
    Outcome,
    Reject,
    Request,
    Route,
)

A, B = "127.0.0.1:8001", "127.0.0.1:8002"
HEAD = f'sched 1\npool gemma {{ endpoints "{A}", "{B}" }}\nmodel chat {{ route gemma }}\n'
FULL = ServerFacts(waiting=9, running=9, kv_cache=0.5)
IDLE = ServerFacts(waiting=0, running=0, kv_cache=0.0)


def policy(text: str, head: str = HEAD) -> Program:
    return compile_policy([Source("t.sched", head + text)])


def request(name: str = "r-1", priority: int = 0, kind: str = "", **headers: str) -> Request:
    named = [(key.replace("_", "-"), value) for key, value in headers.items()]
    pairs = [(":method", "POST"), (":path", "/v1/chat/completions"), *named]
    call = Call(Api.CHAT, "chat", (Text("user", "hello"),), 100, None, False)
    route = Route("chat", "gemma", "chat", priority=priority, kind=kind)
    return Request(name, Headers(pairs), b"{}", call, route)


@dataclass(slots=True)
class Exchange:
    """One exchange under way. Written by its methods only."""

    filter: PickFilter
    action: Action | None = None
    hook: Coroutine[Any, Any, Action] | None = None
    turn: Turn | None = None

    @property
    def waits(self) -> bool:
        return self.action is None

    @property
    def rejected(self) -> Reject:
        assert isinstance(self.action, Reject), self.action
        return self.action

    @property
    def picked(self) -> str:
        assert isinstance(self.action, Continue), self.action
        return self.action.set_headers[DESTINATION].partition(",")[0]

    def resume(self) -> bool:
        """Go on if the wait is over, and say whether it was."""
        if self.hook is None or self.turn is None or self.turn.waiter.turned is None:
            return False
        self._send(self.turn.waiter.turned)
        return True

    def leave(self, now_s: float) -> None:
        """Let the client go."""
        if self.hook is not None:
            self.hook.close()
        self.filter.on_end(Outcome(request(), 0.0, now_s, 0, "client-gone"), now_s)

    def ask(self, asked: Request, now_s: float) -> None:
        decided = self.filter.on_request(asked, now_s)
        if isinstance(decided, Coroutine):
            self.hook = decided
            self._send(None)
        else:
            self.action = decided

    def _send(self, reply: object) -> None:
        assert self.hook is not None
        try:
            self.turn = self.hook.send(reply)
        except StopIteration as end:
            self.action, self.hook = end.value, None


@dataclass(slots=True)
class House:
    """A store and the exchanges at it. Written by its methods only."""

    program: Program
    store: Store = field(init=False)
    exchanges: list[Exchange] = field(default_factory=list[Exchange])

    def __post_init__(self) -> None:
        self.store = Store.for_program(self.program)

    @property
    def flow(self) -> FlowControl:
        return self.store.flows.of("gemma", 0.0)

    def scrape(self, now_s: float, facts: ServerFacts, *more: ServerFacts) -> None:
        for address, told in zip((A, B), (facts, *(more or (facts,))), strict=True):
            self.store.scraped("gemma", address, told, now_s)

    def comes(self, now_s: float, asked: Request | None = None) -> Exchange:
        stage = build(self.program, Site(self.store, lambda outcome: None))
        opened = stage.open(ExchangeInfo("x", "default", Headers(), now_s))
        assert isinstance(opened, PickFilter)
        exchange = Exchange(opened)
        self.exchanges.append(exchange)
        exchange.ask(asked or request(f"r-{len(self.exchanges)}"), now_s)
        return exchange

    def pump(self, now_s: float) -> int:
        """Let go who may, until nobody may any more, and return how many that were."""
        before = sum(e.action is not None for e in self.exchanges)
        while True:
            self.flow.pump(self.store.snapshot.pools["gemma"], now_s)
            if not sum(exchange.resume() for exchange in self.exchanges):
                return sum(e.action is not None for e in self.exchanges) - before
