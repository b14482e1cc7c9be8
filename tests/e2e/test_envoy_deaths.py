"""Envoys come and go while exchanges are in flight; the host stays, and keeps nothing of them."""

import asyncio
import signal
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.rig import envoy
from tests.e2e.rig.config import bootstrap
from tests.e2e.rig.deaths import (
    BODY,
    COLUMNS,
    PHASES,
    SHORT,
    SILENT_LOSS,
    STREAM_BODY,
    Death,
    outcome,
    under_load,
)
from tests.e2e.rig.doors import DUPLEX, all_doors
from tests.e2e.rig.site import Rig

SETTLE_S = 0.4
DOORS = [column.door for column in COLUMNS]


@contextmanager
def beside(rig: Rig, folder: Path) -> Generator[Rig]:
    """Run one more Envoy in front of the host and the upstream of *rig*; yield the rig as it."""
    doors = [door for door in all_doors() if door.processor == "mortal"]
    config = bootstrap(doors, {"mortal": [rig.host.port]}, {"h1": rig.upstream.port})
    with envoy.running(config, folder) as another:
        yield replace(rig, envoy=another)


async def _die(rig: Rig, dying: Rig, how: signal.Signals) -> tuple[set[str], str]:
    """Return the outcomes at the Envoy of *dying*, which gets *how*, and one at that of *rig*."""
    death = Death(dying)
    with rig.upstream.script("events", death.events):
        asked = [
            asyncio.create_task(outcome(phase(death, column), body))
            for phase, body in PHASES.values()
            for column in COLUMNS
        ]
        bystander = asyncio.create_task(rig.ask(DUPLEX, "slow?s=0.7", "POST", body=BODY))
        await asyncio.sleep(SETTLE_S)
        dying.envoy.process.send_signal(how)
        await asyncio.to_thread(dying.envoy.process.wait, envoy.STOP_S_MAX)
        death.died.set()
        return set(await asyncio.gather(*asked)), await outcome(bystander, BODY)


async def _each(rig: Rig) -> set[str]:
    """Return what becomes of one exchange at every door of *rig*."""
    asked = [outcome(rig.ask(door, method="POST", body=BODY), BODY) for door in DOORS]
    return set(await asyncio.gather(*asked))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_an_envoy_that_dies_takes_its_exchanges_with_it_and_no_others(
    rig: Rig, tmp_path: Path, how: signal.Signals
) -> None:
    with beside(rig, tmp_path) as dying:
        became, bystander = rig.run(_die(rig, dying, how))
    rig.host.idle()
    with beside(rig, tmp_path) as again:
        after = rig.run(_each(again))

    assert became == {"no answer", "cut"}
    assert bystander == "whole"
    assert after == {"whole"}


def test_an_envoy_that_dies_under_load_loses_no_byte_silently(rig: Rig, tmp_path: Path) -> None:
    with beside(rig, tmp_path) as dying:
        outcomes = rig.run(under_load(dying, dying.envoy.process, signal.SIGKILL, DOORS))
    rig.host.idle()

    assert not outcomes[SILENT_LOSS], outcomes
    assert outcomes["no answer"] + outcomes["cut"], outcomes


async def _drain(rig: Rig) -> tuple[set[str], str]:
    """Return what becomes of what is in flight when Envoy drains, and of what comes after."""
    death = Death(rig)
    with rig.upstream.script("events", death.events):
        asked = [
            *(outcome(SHORT[0](death, column), SHORT[1]) for column in COLUMNS),
            *(outcome(death.stream(column), STREAM_BODY) for column in COLUMNS),
        ]
        running = [asyncio.create_task(one) for one in asked]
        await asyncio.sleep(SETTLE_S)
        order = urllib.request.Request(
            f"http://{rig.envoy.admin}/drain_listeners?graceful", method="POST"
        )
        await asyncio.to_thread(lambda: urllib.request.urlopen(order, timeout=5).close())
        await asyncio.sleep(SETTLE_S)
        death.died.set()
        finished = set(await asyncio.gather(*running))
    until_s = time.monotonic() + 10.0
    while (late := await outcome(rig.ask(DOORS[0]), b"")) == "whole":
        assert time.monotonic() < until_s, "its doors stay open"
    return finished, late


def test_an_envoy_that_drains_finishes_what_is_in_flight(rig: Rig, tmp_path: Path) -> None:
    """Case 60: nothing in flight is harmed, and the host holds nothing that Envoy has left."""
    with beside(rig, tmp_path) as draining:
        finished, late = rig.run(_drain(draining))

        assert (finished, late) == ({"whole"}, "no answer")
    rig.host.idle()
