"""A store that listens to publishers on loopback, and what was counted."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.extensions.picker.kv.book import KvBook
from headrace.extensions.picker.store import Store
from headrace.host.kv_events.listener import KvListener
from headrace.host.sim.kv_publisher import KvPublisher

WAIT_S = 10.0


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, one after the other from the first."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = probe.getsockname()[1]
        ports = list(range(first, first + count))
        if ports[-1] < 65_536 and all(_free(port) for port in ports):
            return ports


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def policy(addresses: list[str], port: int, replay: int | None = None) -> Program:
    """Return a policy whose pool `p` asks for KV events."""
    listed = ", ".join(f'"{address}"' for address in addresses)
    more = f"kv events port {port}" + (f" replay port {replay}" if replay else "")
    text = f"sched 1\npool p {{ endpoints {listed}  {more} }}\nmodel m {{ route p }}\n"
    return compile_policy([Source("kv.sched", text)])


@dataclass(slots=True)
class Told:
    """Counts what the listener tells."""

    counts: Counter[str] = field(default_factory=Counter[str])

    def kv_events(self, pool: str, result: str, count: int) -> None:
        assert pool == "p"
        self.counts[result] += count


@dataclass(slots=True)
class House:
    """One publisher, and a store that listens to it."""

    store: Store
    told: Told
    publisher: KvPublisher
    address: str

    @property
    def book(self) -> KvBook:
        return self.store.kv["p"]

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is *true*."""
        await until(true, self.told)

    async def connected(self) -> None:
        """Wait until what is published is heard; the first messages of a publisher may be lost."""
        async with asyncio.timeout(WAIT_S):
            while not self.told.counts:
                self.publisher.send(NOTHING)
                await asyncio.sleep(0.02)
        heard = self.told.counts.total()
        await asyncio.sleep(0.1)
        assert self.told.counts.total() >= heard


NOTHING = b"\x92\x00\x90"  # a batch without events


async def until(true: Callable[[], bool], told: object) -> None:
    """Wait until something is *true*; *told* is shown if it never is."""
    try:
        async with asyncio.timeout(WAIT_S):
            while not true():  # noqa: ASYNC110 - what it waits for has no event
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {WAIT_S:g} s: {told}") from None


@asynccontextmanager
async def house(*, replay: bool) -> AsyncGenerator[House]:
    """Publish, and listen."""
    serving, port, replay_port = free_ports(3)
    address = f"127.0.0.1:{serving}"
    program = policy([address], port, replay_port if replay else None)
    store, told = Store.for_program(program), Told()
    listener = KvListener(store, told)
    publisher = KvPublisher("127.0.0.1", port, replay_port, "kv@pod@m")
    try:
        async with publisher:
            await listener.adopt(program)
            found = House(store, told, publisher, address)
            await found.connected()
            yield found
    finally:
        await listener.stop()
