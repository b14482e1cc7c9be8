"""Whatever happens to exchanges and endpoints, nothing of an exchange that is over is counted."""

from collections.abc import Coroutine
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.extensions.call import Api, Call, Text
from headrace.extensions.headers import Headers
from headrace.extensions.picker import build
from headrace.extensions.picker.flow.turn import Turn
from headrace.extensions.picker.snapshot import PoolState, ServerFacts
from headrace.extensions.picker.stage import DESTINATION, LB, SERVED, PickFilter, WatchingFilter
from headrace.extensions.picker.store import Store
from headrace.extensions.records import Usage
from headrace.extensions.registry import Site
from headrace.extensions.stage import (
    Action,
    Continue,
    ExchangeInfo,
    Outcome,
    Request,
    ResponseEvent,
    ResponseHead,
    Route,
    StageRun,
)

ADDRESSES = tuple(f"10.0.0.{n}:8000" for n in range(1, 6))
RULES = """
pool other { endpoints "10.0.0.1:8000" }
model chat { route gemma  objective tpot p95 < 50ms }
filter mine = endpoint.session_match || endpoint.running < 9
cost first  = endpoint.predicted_ttft
cost late   = endpoint.slo_slack
profile default {
  prefer mine
  minimize first + late
  pick least
  also pick prefill by profile any
}
profile any { pick random }
overload when pool.queue > 5.0 {
  queue by request.priority fair in tokens by request.session for up to 3s, at most 3
}
"""
EVENT = ResponseEvent(b"data: {}\n\n", b"{}", True)


def policy(endpoints: tuple[int, ...], pool: str = "gemma") -> Program:
    """Return the policy with *endpoints* of `ADDRESSES` in its pool; another *pool* renames it."""
    listed = ", ".join(f'"{ADDRESSES[n]}"' for n in endpoints)
    head = f"sched 1\npool {pool} {{ endpoints {listed}  wait up to 2s for endpoints, at most 2 }}"
    return compile_policy([Source("t.sched", head + RULES.replace("gemma", pool))])


PROGRAMS = [policy(e) for e in ((0, 1, 2), (1, 2, 3), (4,), (0, 1, 2, 3, 4))]
ELSEWHERE = policy((0, 1), "gone")


@dataclass(slots=True)
class World:
    """A store, its time, and the exchanges that are open. Written by its methods only."""

    program: Program = PROGRAMS[0]
    now_s: float = 0.0
    store: Store = field(default_factory=lambda: Store.for_program(PROGRAMS[0]))
    open: list[tuple[PickFilter, Request]] = field(default_factory=list[tuple[PickFilter, Request]])
    waits: dict[int, tuple[Coroutine[object, object, Action], Turn]] = field(
        default_factory=dict[int, tuple[Coroutine[object, object, Action], Turn]]
    )
    count: int = 0

    def comes(self, n: int) -> None:
        self.count += 1
        text = f"{n % 3} words that many share " * (n % 5 * 20)
        call = Call(Api.CHAT, "chat", (Text("user", text),), len(text) // 4, None, n % 2 == 0)
        headers = Headers([(":method", "POST"), (":path", "/"), ("x-session-id", f"s{n % 3}")])
        route = Route("chat", "gemma", "chat", priority=n % 2)
        asked = Request(f"r-{self.count}", headers, b"{}", call, route)
        stage = build(self.program, Site(self.store, report=lambda outcome: None))
        flt = stage.open(ExchangeInfo("r", "default", Headers(), self.now_s))
        assert isinstance(flt, PickFilter)
        self.open.append((flt, asked))
        decided = flt.on_request(asked, self.now_s)
        if isinstance(decided, Coroutine):
            self._go_on(flt, decided, None)
        else:
            self._decided(flt, decided)

    def scrape(self, n: int) -> None:
        facts = ServerFacts(n % 9, n % 4, n % 10 / 10, block_size=16, num_blocks=50 * (n % 3))
        for address in ADDRESSES[n % 4 :]:
            self.store.scraped("gemma", address, facts, self.now_s)

    def _go_on(
        self, flt: PickFilter, hook: Coroutine[object, object, Action], reply: object
    ) -> None:
        try:
            turn = hook.send(reply)
        except StopIteration as end:
            self.waits.pop(id(flt), None)
            self._decided(flt, end.value)
        else:
            assert isinstance(turn, Turn)
            self.waits[id(flt)] = hook, turn

    def _decided(self, flt: PickFilter, action: Action) -> None:
        if not isinstance(action, Continue):
            self._end(flt, 503)
        else:
            assert action.set_headers[DESTINATION]

    def _end(self, flt: PickFilter, status: int) -> None:
        (asked,) = [asked for each, asked in self.open if each is flt]
        waiting = self.waits.pop(id(flt), None)
        if waiting is not None:
            waiting[0].close()
        usage = StageRun("o", "on_response_end", 1.0, 1.0, "continue", records=(Usage(9, 9, 3),))
        how = "complete" if status else "client-gone"
        flt.on_end(Outcome(asked, 0.0, self.now_s, status, how, runs=(usage,)), self.now_s)
        self.open = [each for each in self.open if each[0] is not flt]

    def pumped(self) -> None:
        """Let go who may, as a host does."""
        for flow in list(self.store.flows):
            pool = self.store.snapshot.pools.get(flow.pool) or PoolState(flow.pool)
            flow.pump(pool, self.now_s)
        for flt, _ in list(self.open):
            hook, turn = self.waits.get(id(flt), (None, None))
            if hook is not None and turn is not None and turn.waiter.turned is not None:
                self._go_on(flt, hook, turn.waiter.turned)

    def happens(self, what: str, n: int) -> None:
        """Let *what* happen to something that *n* names."""
        flt = self.open[n % len(self.open)][0] if self.open else None
        address = ADDRESSES[n % len(ADDRESSES)]
        if what == "comes":
            self.comes(n)
        elif what == "reload":
            self.program = PROGRAMS[n % len(PROGRAMS)]
            self.store.adopt(self.program, self.now_s)
            self.scrape(0)
        elif what == "pool goes":
            self.store.adopt(ELSEWHERE, self.now_s)
        elif what == "scrape":
            self.scrape(n)
        elif what == "restart":
            facts = ServerFacts(0, 0, 0.0, started_s=float(n))
            self.store.scraped("gemma", address, facts, self.now_s)
        elif what == "refuse":
            self.store.failed("gemma", address, "gone", self.now_s, refused=True)
        elif what == "time":
            self.now_s += n / 4
        elif flt is not None and what == "leave":
            self._end(flt, 0)
        elif flt is not None and id(flt) not in self.waits:
            self._answered(flt, what, n, address)
        self.pumped()

    def _answered(self, flt: PickFilter, what: str, n: int, address: str) -> None:
        if what == "head":
            status = (200, 200, 500)[n % 3]
            flt.on_response_headers(
                ResponseHead(status, Headers(), metadata={LB: {SERVED: address}}), self.now_s
            )
        elif what == "event" and isinstance(flt, WatchingFilter):
            flt.on_response_event(EVENT, self.now_s)
        elif what == "end":
            self._end(flt, (200, 200, 502)[n % 3])


STEPS = st.tuples(
    st.sampled_from(
        ("comes", "comes", "comes", "scrape", "scrape", "time", "head", "event", "end", "leave",
         "reload", "pool goes", "restart", "refuse")
    ),
    st.integers(0, 29),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_nothing_of_an_exchange_that_is_over_is_counted(steps: list[tuple[str, int]]) -> None:
    world = World()
    world.scrape(0)
    for what, n in steps:
        world.happens(what, n)
        for pool in world.store.snapshot.pools.values():
            assert sum(e.in_flight for e in pool.endpoints) <= 2 * len(world.open)
    for _ in range(len(world.open)):
        world.happens("leave", 0)

    assert not world.open
    for pool in world.store.snapshot.pools.values():
        for e in pool.endpoints:
            carried = e.carried
            assert (e.in_flight, e.tokens_in_flight, e.decoding) == (0, 0, 0)
            assert (carried.prefills, carried.prefill_tokens, carried.prefill_pairs) == (0, 0, 0)
            assert (carried.decode_tokens, carried.decode_first_us) == (0, 0)
            assert (carried.unseen_tokens, carried.slacks_s) == (0, ())
    for flow in world.store.flows:
        assert (len(flow), flow.departed, flow.size_bytes) == (0, 0, 0)
    for name, index in world.store.prefixes.items():
        assert set(index.addresses) <= set(world.store.snapshot.pools[name].positions)
