"""A simulation of a pool under load: two servers, arrivals by a seed, scrapes at an interval."""

import heapq
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import count
from random import Random

from headrace.dsl.program import Program
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.stage import Continue, Outcome, Reject
from tests.extensions.picker.queueing import A, B, Exchange, House, request

SLOTS = 4  # requests that a server works on at once
WORK_S = 0.2  # of one request
CAPACITY_PER_S = 2 * SLOTS / WORK_S

Work = tuple[str, Exchange]


@dataclass(slots=True)
class Server:
    """Works on so many at once; the others wait. Written by the simulation."""

    running: int = 0
    waiting: deque[Exchange] = field(default_factory=deque[Exchange])


@dataclass(slots=True)
class Crowd:
    """Runs one load through one policy. Written by `run` only.

    served, rejected  by priority
    told              of each that was told when to come back: when, and in how long
    """

    program: Program
    load: float
    priorities: tuple[int, ...]
    scrape_s: float = 0.1
    served: Counter[int] = field(default_factory=Counter[int])
    rejected: Counter[tuple[int, str]] = field(default_factory=Counter[tuple[int, str]])
    told: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    longest: int = 0

    def run(self, seconds: float, seed: int = 1) -> "House":
        """Let *seconds* pass, and return the house as it is then."""
        house, chance = House(self.program), Random(seed)
        servers = {A: Server(), B: Server()}
        numbers, events = count(), list[tuple[float, int, str, Work | None]]()
        who: dict[int, int] = {}

        def at(when_s: float, what: str, of: Work | None = None) -> None:
            heapq.heappush(events, (when_s, next(numbers), what, of))

        def settle(now_s: float) -> None:
            for exchange in [e for e in house.exchanges if e.action is not None]:
                house.exchanges.remove(exchange)
                priority = who.pop(id(exchange))
                if isinstance(exchange.action, Continue):
                    server = servers[exchange.picked]
                    self.served[priority] += 1
                    server.waiting.append(exchange)
                    start(exchange.picked, now_s)
                else:
                    self._turned_away(exchange.rejected, priority, now_s)

        def start(address: str, now_s: float) -> None:
            server = servers[address]
            while server.waiting and server.running < SLOTS:
                server.running += 1
                work_s = WORK_S * chance.uniform(0.5, 1.5)
                at(now_s + work_s, "done", (address, server.waiting.popleft()))

        at(0.0, "scrape")
        at(0.0, "comes")
        while events and events[0][0] < seconds:
            now_s, number, what, of = heapq.heappop(events)
            if what == "scrape":
                for address, s in servers.items():
                    facts = ServerFacts(len(s.waiting), s.running, 0.1)
                    house.store.scraped("gemma", address, facts, now_s)
                at(now_s + self.scrape_s, "scrape")
            elif what == "comes":
                priority = chance.choice(self.priorities)
                exchange = house.comes(now_s, request(f"r-{number}", priority=priority))
                who[id(exchange)] = priority
                at(now_s + chance.expovariate(self.load * CAPACITY_PER_S), "comes")
            else:
                assert of is not None
                address, exchange = of
                servers[address].running -= 1
                exchange.filter.on_end(Outcome(request(), 0.0, now_s, 200, "complete"), now_s)
                start(address, now_s)
            house.pump(now_s)
            settle(now_s)
            self.longest = max(self.longest, len(house.flow))
        return house

    def _turned_away(self, reject: Reject, priority: int, now_s: float) -> None:
        self.rejected[priority, reject.reason.word] += 1
        if reject.retry_after_s is not None:
            self.told.append((now_s, reject.retry_after_s))
