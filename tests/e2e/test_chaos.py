"""Everything at once, with clients that leave: nothing hangs, leaks or is out of order."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests.e2e.rig.doors import all_doors
from tests.e2e.rig.http1 import Fields, Wire, connect, read_answer
from tests.e2e.rig.scripts import noise
from tests.e2e.rig.site import Rig

EXCHANGES = 150
ANSWER_S_MAX = 15.0
# Doors whose processor is the rig's host, and that let it answer at any time.
DOORS = [
    door.name
    for door in all_doors()
    if door.processor == "host" and door.name not in ("no-immediate", "trailers-only")
]
CHAINS = (
    "pass",
    "read+add",
    "reject",
    "reject?on=response",
    "answer",
    "gate?do=keep",
    "gate?do=reject",
    "read+gate?do=double",
    "observe",
    "slow?s=0.05+read",
    "slow?s=0.05&hook=response",
    "slow?s=0.01&hook=event&needs=gate",
    "slow?s=5&deadline=0.03",
    "slow?s=5&deadline=0.03&hook=event&needs=gate",
    "slow?s=0.05@body_bytes_max=20000",
    "stream?chunks=20&gap=0.01",
    "stream?chunks=3&trailers=1",
    "raise?hook=event&needs=gate",
    "raise?hook=end&needs=observe",
    "raise?hook=response",
    "raise?hook=effect",
    "half",
    "read@body_bytes_max=20000",
    "gate?do=keep@gate_bytes_max=5000",
)


@dataclass(frozen=True, slots=True)
class Guest:
    """One client. *leaves_s*: when it resets the connection; None: it stays for the answer."""

    door: str
    fields: Fields
    body_bytes: int
    pause_s: float
    trailers: bool
    leaves_s: float | None

    async def visit(self, rig: Rig) -> bool:
        """Return whether the client got an answer or an end in time, or left by itself."""
        wire = await connect(rig.port(self.door))
        talking = asyncio.create_task(self._talk(wire))
        try:
            if self.leaves_s is not None:
                await asyncio.sleep(self.leaves_s)
                return True
            with suppress(EOFError, ConnectionError):  # an end is an answer, too
                await asyncio.wait_for(read_answer(wire, "POST"), ANSWER_S_MAX)
            return True
        except TimeoutError:
            return False
        finally:
            talking.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await talking
            await wire.reset()

    async def _talk(self, wire: Wire) -> None:
        await wire.send_head("POST / HTTP/1.1", [*self.fields, ("transfer-encoding", "chunked")])
        async for piece in self._body():
            await wire.send_chunk(piece)
        await wire.end_chunks([("x-t", "1")] if self.trailers else [])

    async def _body(self) -> AsyncIterator[bytes]:
        for piece in noise(self.body_bytes):
            yield piece
            await asyncio.sleep(self.pause_s)


def _guest(chance: random.Random) -> Guest:
    fields = [
        ("host", "rig"),
        ("x-chain", chance.choice(CHAINS)),
        ("x-script", chance.choice(("echo", "swap", "sse", "trailers", "status"))),
        ("x-bytes", str(chance.choice((0, 10, 70_000, 300_000)))),
        ("x-gap-s", "0.005"),
        ("x-status", chance.choice(("200", "204", "304", "500"))),
    ]
    return Guest(
        door=chance.choice(DOORS),
        fields=fields,
        body_bytes=chance.choice((0, 10, 30_000, 200_000)),
        pause_s=chance.random() * 0.01,
        trailers=chance.random() < 0.3,
        leaves_s=chance.random() * 0.1 if chance.random() < 0.4 else None,
    )


@pytest.mark.parametrize("seed", range(2))
def test_in_a_crowd_of_every_kind_nobody_waits_for_ever_and_nothing_stays(
    rig: Rig, seed: int
) -> None:
    """Case 15, 16: with `nothing_spurious`, which holds every test to Envoy's order."""
    chance = random.Random(seed)
    guests = [_guest(chance) for _ in range(EXCHANGES)]
    before = rig.host.idle()["tasks"]

    async def crowd() -> list[bool]:
        return await asyncio.gather(*(guest.visit(rig) for guest in guests))

    served = rig.run(crowd())

    assert all(served), [guest for guest, ok in zip(guests, served, strict=True) if not ok]
    assert rig.host.idle(tasks_max=before)["active"] == 0
