"""Exchanges in every phase while their host or their Envoy dies, and what became of each.

Owns the phases and the words for what the client got. Who dies, and how, is the test's.
"""

import asyncio
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from headrace.host.exchange.part import BodyMode
from tests.e2e.rig.doors import MORTAL_MODES, NONE, mortal
from tests.e2e.rig.http1 import Answer
from tests.e2e.rig.scripts import digest, event, noise
from tests.e2e.rig.site import Rig
from tests.e2e.rig.upstream import Call

BODY = b"12345"
EVENTS = 6
SILENT_LOSS = "SILENT LOSS"


@dataclass(frozen=True, slots=True)
class Column:
    """One kind of door: a body mode both ways, and whether Envoy lets pass without a processor."""

    mode: BodyMode
    fail_open: bool

    @property
    def door(self) -> str:
        return mortal(self.mode, fail_open=self.fail_open)

    @property
    def title(self) -> str:
        return f"{self.mode.name}, {'open' if self.fail_open else 'closed'}"


COLUMNS = tuple(Column(mode, fail_open) for mode in MORTAL_MODES for fail_open in (False, True))


@dataclass(slots=True)
class Death:
    """The moment at which the host dies. *died* is set by the test, after the fact."""

    rig: Rig
    died: asyncio.Event = field(default_factory=asyncio.Event)

    async def events(self, call: Call) -> None:
        """Be an upstream that sends half of its events before the death and half after it."""
        await call.read()
        await call.begin(
            200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")]
        )
        for number in range(EVENTS):
            if number == EVENTS // 2:
                await self.died.wait()
            await call.wire.send_chunk(event(number))
        await call.wire.end_chunks()

    async def get(self, column: Column) -> Answer:
        """Wait in `on_request`, without a body."""
        return await self.rig.ask(column.door, "slow?s=60&deadline=60")

    async def post(self, column: Column) -> Answer:
        """Wait in `on_request`, with a body that is there."""
        return await self.rig.ask(column.door, "slow?s=60&deadline=60", "POST", body=BODY)

    async def upload(self, column: Column) -> Answer:
        """Have half of the request body sent when the host dies, the other half after it."""

        async def halves() -> AsyncIterator[bytes]:
            yield BODY[:2]
            await self.died.wait()
            yield BODY[2:]

        return await self.rig.ask(column.door, "pass", "POST", body=halves())

    async def response(self, column: Column) -> Answer:
        """Wait in `on_response_headers`."""
        chain = "slow?s=60&hook=response&deadline=60"
        return await self.rig.ask(column.door, chain, "POST", body=BODY)

    async def stream(self, column: Column) -> Answer:
        """Be in the middle of an event stream that no stage holds."""
        return await self.rig.ask(column.door, "pass", fields=[("x-script", "events")])

    async def gated(self, column: Column) -> Answer:
        """Be in the middle of an event stream that a stage gates."""
        chain = "pass" if column.mode is NONE else "gate?do=keep"
        return await self.rig.ask(column.door, chain, fields=[("x-script", "events")])

    async def short(self, column: Column) -> Answer:
        """Wait a little in `on_request`: less than the host's grace."""
        return await self.rig.ask(column.door, "slow?s=0.7", "POST", body=BODY)


Phase = Callable[[Death, Column], Awaitable[Answer]]
STREAM_BODY = b"".join(event(number) for number in range(EVENTS))
# Row of the matrix -> what an exchange does at the death, and the body that it should get.
PHASES: dict[str, tuple[Phase, bytes]] = {
    "GET, a stage waits": (Death.get, b""),
    "POST, a stage waits": (Death.post, BODY),
    "half of the request body sent": (Death.upload, BODY),
    "response head, a stage waits": (Death.response, BODY),
    "half of an event stream passed": (Death.stream, STREAM_BODY),
    "half of a gated event stream passed": (Death.gated, STREAM_BODY),
}
SHORT: tuple[Phase, bytes] = (Death.short, BODY)


async def outcome(asked: Awaitable[Answer], body: bytes) -> str:
    """Return what became of an exchange, in the words of the matrix.

    `whole`: a complete 200 with the right bytes · a number: that status · `cut`: visibly
    incomplete · `no answer`: the connection ended without one.
    """
    try:
        answer = await asked
    except (EOFError, ConnectionError):
        return "no answer"
    if not answer.complete:
        return "cut"
    if answer.status != 200:
        return str(answer.status)
    return "whole" if answer.body == body else SILENT_LOSS


async def under_load(
    rig: Rig, process: subprocess.Popen[bytes], how: signal.Signals, doors: list[str]
) -> Counter[str]:
    """Return what became of many large exchanges, in the middle of which *process* gets *how*."""
    size = 300_000
    sent, back = digest(noise(size)), digest(noise(size, seed=1))

    async def one(door: str, number: int) -> str:
        await asyncio.sleep(number * 0.01)
        fields = [("x-script", "swap"), ("x-bytes", str(size))]
        try:
            answer = await rig.ask(door, "pass", "POST", fields=fields, body=noise(size))
        except (EOFError, ConnectionError):
            return "no answer"
        if answer.status != 200 or not answer.complete:
            return "cut" if answer.status == 200 else str(answer.status)
        right = answer.head.get("x-sha256") == sent and digest(iter([answer.body])) == back
        return "whole" if right else SILENT_LOSS

    asked = [asyncio.create_task(one(door, number)) for door in doors for number in range(20)]
    await asyncio.sleep(0.1)
    process.send_signal(how)
    return Counter(await asyncio.gather(*asked))
