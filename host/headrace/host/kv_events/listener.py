"""The tasks that bring KV events into the store: one per endpoint whose pool asks for them."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from headrace.dsl.program import Program
from headrace.extensions.picker.kv.book import KvBook
from headrace.extensions.picker.kv.events import EventFault, read_batch
from headrace.extensions.picker.kv.sequence import REPLAYED_MAX, Next, Sequence
from headrace.extensions.picker.membership import DECLARED, EndpointSource
from headrace.extensions.picker.store import Store

if TYPE_CHECKING:
    import zmq.asyncio

RETRY_S = 1.0  # after a socket that failed
LONG_S = 0.001  # what takes longer than this is followed by a rest as long: others are served
PORT_MAX = 65_535
NUMBER_BYTES = 8
log = logging.getLogger(__name__)


class Counts(Protocol):
    """What a host may want to count."""

    def kv_events(self, pool: str, result: str, count: int) -> None:
        """Note *count* messages or events of the servers of *pool*, by what became of them."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """One publisher: the server at *address* of *pool*, heard at *host* and *port*."""

    pool: str
    address: str
    host: str
    port: int
    replay_port: int | None


def missing(program: Program) -> str:
    """Return why the KV events that *program* asks for cannot be heard; "" if they can."""
    asking = [pool.name for pool in program.pools.values() if pool.kv_events]
    if not asking:
        return ""
    if find_spec("zmq") is None:
        return (
            f"pool `{asking[0]}` asks for `kv events`, which need pyzmq: "
            "install `headrace[kv-events]`, or remove the statement"
        )
    return next(map(_impossible, _taken(program)), "")


def _taken(program: Program) -> Iterator[tuple[Source, int]]:
    """Yield the sources that cannot be heard, each with the port that cannot be its own."""
    taken: dict[tuple[str, str, int], str] = {}
    for source in sources(program):
        for port in (source.port, source.replay_port):
            if port is None:
                continue
            key = (source.pool, source.host, port)
            if port > PORT_MAX or key in taken:
                yield source, port
            taken[key] = source.address


def _impossible(found: tuple[Source, int]) -> str:
    source, port = found
    why = "is no port" if port > PORT_MAX else "would be two publishers' at once"
    return (
        f"pool `{source.pool}`: `kv events` of `{source.address}` would be at port {port}, which "
        f"{why}: each endpoint of a host has the next port after the first; choose other ports"
    )


def sources(program: Program, members: EndpointSource = DECLARED) -> Iterator[Source]:
    """Yield who publishes, of those whom *members* knows in the pools.

    Where a host has several endpoints, each has the next port after the one before.

    So does vLLM with the ranks of data parallelism, whose servers have the next port each too.
    """
    for pool in program.pools.values():
        wanted = pool.kv_events
        if wanted is None:
            continue
        ranks: dict[str, int] = {}
        for host, _, address in sorted(_place(m.address) for m in members.members(pool)):
            rank = ranks[host] = ranks.get(host, -1) + 1
            replay = None if wanted.replay_port is None else wanted.replay_port + rank
            yield Source(pool.name, address, host, wanted.port + rank, replay)


class KvListener:
    """Hears every server that a program asks to be heard. Used from one event loop."""

    def __init__(self, store: Store, counts: Counts) -> None:
        self._store = store
        self._counts = counts
        self._tasks: dict[Source, asyncio.Task[None]] = {}
        self._context: zmq.asyncio.Context | None = None

    async def adopt(self, program: Program) -> None:
        """Go over to the servers of *program*; the store must have adopted it before."""
        wanted = frozenset(sources(program, self._store.source))
        gone = [self._tasks.pop(source) for source in list(self._tasks) if source not in wanted]
        await _cancelled(gone)
        if wanted and self._context is None:
            # A library of megabytes: loading it would hold up the exchanges.
            await asyncio.to_thread(import_module, "headrace.host.kv_events.wire")
            import zmq.asyncio

            self._context = zmq.asyncio.Context()
        for source in wanted:
            if source not in self._tasks:
                self._tasks[source] = asyncio.create_task(
                    self._follow(source), name=f"kv events {source.address}"
                )

    async def stop(self) -> None:
        """End all tasks and sockets. May be called twice."""
        await _cancelled(list(self._tasks.values()))
        self._tasks.clear()
        if self._context is not None:
            self._context.destroy(linger=0)
            self._context = None

    async def _follow(self, source: Source) -> None:
        """Listen to *source* again and again; what fails is told once, until it is another."""
        told, sequence = "", Sequence()
        while True:
            try:
                await self._connect(source, sequence)
            except Exception as error:  # ours or the library's: it must not end the listening
                why = f"{type(error).__name__}: {error}"
                if why != told:
                    log.warning("kv events of %s: %s", source.address, why)
                told = why
                self._count(source, "failed")
                self._lose(source)
            await asyncio.sleep(RETRY_S)

    async def _connect(self, source: Source, sequence: Sequence) -> None:
        """Listen to *source* until its connection ends.

        ZeroMQ connects again by itself, but not to a peer that it has cut off.
        """
        from headrace.host.kv_events.wire import disconnected, subscriber

        context = self._context
        assert context is not None, "tasks live between adopt and stop"
        socket = subscriber(context, source.host, source.port)
        hearing = asyncio.create_task(self._listen(source, sequence, socket))
        ended = asyncio.create_task(disconnected(socket))
        try:
            await asyncio.wait((hearing, ended), return_when=asyncio.FIRST_COMPLETED)
            if hearing.done():
                hearing.result()
        finally:
            await _cancelled([hearing, ended])
            socket.close(linger=0)

    async def _listen(
        self, source: Source, sequence: Sequence, socket: "zmq.asyncio.Socket"
    ) -> None:
        while True:
            frames: list[bytes] = await socket.recv_multipart()
            if len(frames) != 3 or len(frames[1]) != NUMBER_BYTES:
                self._count(source, "malformed")
            else:
                number = int.from_bytes(frames[1], "big")
                await self._hear(source, sequence, number, frames[2])
            await asyncio.sleep(0)  # what has come already is received without a pause

    async def _hear(self, source: Source, sequence: Sequence, number: int, payload: bytes) -> None:
        """Take one live message, and first what was missed before it."""
        match sequence.judge(number):
            case Next.KNOWN:
                self._count(source, "known")
                return
            case Next.RESTARTED:
                self._count(source, "restarted")
                book = self._book(source)
                if book is not None:
                    book.restarted(source.address)
                sequence.replayed(range(0))
                if number:
                    await self._catch_up(source, sequence, number)
            case Next.GAP:
                await self._catch_up(source, sequence, number)
            case Next.EXPECTED:
                pass
        if sequence.judge(number) in (Next.EXPECTED, Next.GAP):
            await self._take(source, payload, "applied")
            sequence.took(number)

    async def _catch_up(self, source: Source, sequence: Sequence, number: int) -> None:
        """Have replayed what is missing before *number*; what cannot be had is lost."""
        from headrace.host.kv_events.wire import replay

        first = expected = sequence.expected
        if source.replay_port is not None and self._context is not None:
            try:
                async for at, payload in replay(
                    self._context, source.host, source.replay_port, expected
                ):
                    if at < expected or at - first > REPLAYED_MAX:
                        raise ValueError("the replay is out of order, or too long")
                    if at > expected:  # the publisher keeps no more: what was before is lost
                        self._lose(source)
                    await self._take(source, payload, "replayed")
                    expected = at + 1
                    sequence.replayed(range(first, expected))
            except (TimeoutError, ValueError) as error:
                log.info("kv events of %s: no replay: %s", source.address, error or "no answer")
        if expected < number:
            self._lose(source)

    async def _take(self, source: Source, payload: bytes, result: str) -> None:
        """Apply one message; then let others have as much of the loop as it took."""
        clock = asyncio.get_running_loop().time
        began_s = clock()
        self._apply(source, payload, result)
        took_s = clock() - began_s
        await asyncio.sleep(took_s if took_s > LONG_S else 0)

    def _apply(self, source: Source, payload: bytes, result: str) -> None:
        book = self._book(source)
        if book is None:
            return
        try:
            batch = read_batch(payload)
        except EventFault:
            self._count(source, "malformed")
            book.lost(source.address)  # whatever it said is not known now
            return
        if batch.faulty:
            self._count(source, "faulty_event", batch.faulty)
            book.lost(source.address)
        self._count(source, result)
        book.apply(source.address, batch, asyncio.get_running_loop().time())

    def _lose(self, source: Source) -> None:
        self._count(source, "lost")
        book = self._book(source)
        if book is not None:
            book.lost(source.address)

    def _book(self, source: Source) -> KvBook | None:
        return self._store.kv.get(source.pool)

    def _count(self, source: Source, result: str, count: int = 1) -> None:
        self._counts.kv_events(source.pool, result, count)


def _place(address: str) -> tuple[str, int, str]:
    host, _, port = address.rpartition(":")
    return host, int(port), address


async def _cancelled(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
