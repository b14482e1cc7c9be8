"""The bus tells what there is to tell, whatever befalls one turn of it."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic

import pytest

from headrace.extensions.picker.peers.company import Company, Heed
from headrace.extensions.picker.peers.note import decoded
from headrace.extensions.picker.peers.outbox import Outbox
from headrace.host.bus.bus import Bus
from headrace.host.bus.port import Hear
from tests.extensions.picker.build import NAMES, program, ready_store
from tests.host.bus.test_local import eventually

POOL, A = "gemma", NAMES[0]


@dataclass
class Wire:
    """Keeps what is sent, and loses as many receivers as *misses* says."""

    name: str = "wire"
    up: bool = True
    misses: int = 0
    sent: list[bytes] = field(default_factory=list[bytes])
    hear: Hear | None = None

    async def start(self, hear: Hear) -> None:
        self.hear = hear

    def send(self, message: bytes) -> int:
        self.sent.append(message)
        return self.misses

    async def stop(self) -> None:
        self.up = False


class Noted(dict[tuple[str, str], int]):
    """Counts messages."""

    def state_message(self, channel: str, result: str, count: int = 1) -> None:
        self[channel, result] = self.get((channel, result), 0) + count


def test_what_changes_is_told_and_what_becomes_of_messages_is_counted() -> None:
    wire, noted = Wire(misses=2), Noted()

    async def work() -> None:
        company = Company(ready_store(program()), Outbox("a", 0.0))
        async with Bus(company, [wire], noted):
            company.store.reserve(POOL, A, monotonic())
            await eventually(lambda: any(decoded(m).shares for m in wire.sent))
            for n in range(2648):
                company.outbox.bound(POOL, f"t{n}", A, monotonic())
            assert wire.hear is not None
            wire.hear(b"no note")
            wire.hear(wire.sent[0])
            await eventually(lambda: ("outbox", "dropped") in noted)

    asyncio.run(work())
    last = decoded(wire.sent[-1])
    assert (last.leaving, wire.up) == (True, False)
    assert noted["wire", "sent"] == len(wire.sent)
    assert noted["wire", "dropped"] == 2 * len(wire.sent)
    assert (noted["wire", "unreadable"], noted["wire", "idle"]) == (1, 1)
    assert noted["outbox", "dropped"] == 600


def test_a_turn_that_fails_is_told_once_and_the_next_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    wire, noted, failures = Wire(), Noted(), [0]
    company = Company(ready_store(program()), Outbox("a", 0.0))

    class Failing(Company):
        def to_tell(self, now_s: float) -> Iterator[bytes]:
            if failures[0] < 5:
                failures[0] += 1
                raise ZeroDivisionError
            return super().to_tell(now_s)

    async def work() -> None:
        async with Bus(Failing(company.store, company.outbox), [wire], noted):
            await eventually(lambda: bool(wire.sent))

    asyncio.run(work())
    said = [record for record in caplog.records if "the state is not told" in record.message]
    assert (failures[0], len(said)) == (5, 1)


def test_a_note_that_we_cannot_take_ends_no_channel_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    wire, noted = Wire(), Noted()
    company = Company(ready_store(program()), Outbox("a", 0.0))

    class Failing(Company):
        def hear(self, data: bytes, now_s: float) -> Heed:
            raise ZeroDivisionError

    async def work() -> None:
        async with Bus(Failing(company.store, company.outbox), [wire], noted):
            assert wire.hear is not None
            for _ in range(5):
                wire.hear(b"a note")

    asyncio.run(work())
    said = [record for record in caplog.records if "is not heeded" in record.message]
    assert len(said) == 1
