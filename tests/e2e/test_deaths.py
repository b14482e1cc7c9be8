"""What becomes of exchanges whose host dies: the matrix of docs/failure-matrix.md, proved."""

import asyncio
import os
import re
import signal
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.e2e.rig import process
from tests.e2e.rig.deaths import (
    COLUMNS,
    PHASES,
    SHORT,
    SILENT_LOSS,
    Death,
    outcome,
    under_load,
)
from tests.e2e.rig.process import Host
from tests.e2e.rig.site import Rig

MATRIX = Path(__file__).parents[2] / "docs" / "failure-matrix.md"
SETTLE_S = 0.4
GRACE_S = 1.0
Table = dict[str, dict[str, str]]  # row -> column -> outcome


async def _die(rig: Rig, host: Host, how: signal.Signals) -> Table:
    """Return the outcome of every phase at every door when *host* gets the signal *how*."""
    death = Death(rig)
    phases = dict(PHASES)
    if how is signal.SIGTERM:
        phases["done within the grace"] = SHORT
    cells = [(row, column) for row in phases for column in COLUMNS]
    with rig.upstream.script("events", death.events):
        asked = [
            asyncio.create_task(outcome(phases[row][0](death, column), phases[row][1]))
            for row, column in cells
        ]
        await asyncio.sleep(SETTLE_S)
        host.process.send_signal(how)
        await asyncio.to_thread(host.process.wait, process.STOP_S_MAX)
        death.died.set()
        outcomes = await asyncio.gather(*asked)
    table: Table = {row: {} for row in phases}
    for (row, column), became in zip(cells, outcomes, strict=True):
        table[row][column.title] = became
    return table


def _table(title: str, table: Table) -> str:
    titles = [column.title for column in COLUMNS]
    lines = [
        f"| {title} | " + " | ".join(titles) + " |",
        "|---" * (len(titles) + 1) + "|",
        *(
            f"| {row} | " + " | ".join(cells[t] for t in titles) + " |"
            for row, cells in table.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def twin(rig: Rig, *arguments: str) -> AbstractContextManager[Host]:
    """Run a host for the mortal doors, by the transport of the other."""
    return process.running(rig.folder, rig.mortal_port, arguments, rig.host.transport)


def _check(title: str, actual: str) -> None:
    text = MATRIX.read_text()
    found = re.search(rf"^\| {re.escape(title)} \|.*\n(\|.*\n)*", text, re.MULTILINE)
    assert found is not None, f"no table `{title}` in {MATRIX}"
    if os.environ.get("UPDATE") == "1":
        MATRIX.write_text(text.replace(found[0], actual))
        return
    assert found[0] == actual


@pytest.mark.parametrize(
    ("how", "title"),
    [(signal.SIGKILL, "killed (SIGKILL)"), (signal.SIGTERM, "told to stop (SIGTERM), grace over")],
    ids=["kill", "term"],
)
def test_a_dying_host_loses_no_byte_silently(rig: Rig, how: signal.Signals, title: str) -> None:
    """Case 57, 58: in every phase the outcome is the documented one, and never a silent loss."""
    arguments = ["--grace-s", str(GRACE_S)]
    with twin(rig, *arguments) as host:
        table = rig.run(_die(rig, host, how))

    assert SILENT_LOSS not in {cell for cells in table.values() for cell in cells.values()}, table
    _check(title, _table(title, table))


@pytest.mark.parametrize(
    "doors",
    [[column.door for column in COLUMNS], ["twins", "twins-streamed"]],
    ids=["alone", "with-a-twin"],
)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_a_host_that_dies_under_load_loses_no_byte_silently(
    rig: Rig, how: signal.Signals, doors: list[str]
) -> None:
    """Case 57, 58: 300 kB both ways; a twin that Envoy turns to replays nothing by halves."""
    with twin(rig, "--grace-s", "0.05") as host:
        outcomes = rig.run(under_load(rig, host.process, how, doors))

    assert not outcomes[SILENT_LOSS], outcomes
    assert outcomes["whole"], outcomes


def test_without_a_host_every_door_fails_as_documented(rig: Rig) -> None:
    """Case 58: nobody listens at the processor's port."""

    async def ask() -> Table:
        table: Table = {"GET": {}, "POST": {}}
        for column in COLUMNS:
            get = rig.ask(column.door)
            post = rig.ask(column.door, method="POST", body=b"12345")
            table["GET"][column.title] = await outcome(get, b"")
            table["POST"][column.title] = await outcome(post, b"12345")
        return table

    _check("unreachable", _table("unreachable", rig.run(ask())))


def test_a_host_that_is_told_to_stop_takes_no_new_streams_and_exits(rig: Rig) -> None:
    """Case 57: idle, it is gone at once and leaves with status 0."""
    with twin(rig, "--grace-s", "30") as host:
        door = COLUMNS[0].door
        before = rig.fetch(door).status
        host.process.terminate()
        status = host.process.wait(process.STOP_S_MAX)
        after = rig.fetch(door).status

    assert (before, status, after) == (200, 0, 500)
