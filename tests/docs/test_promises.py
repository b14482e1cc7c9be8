"""The tutorial's tests hold for its policy, fail where it says, and a change acts as it says."""

import time
from pathlib import Path

import pytest

from tests.docs.pages import blocks_of
from tests.docs.tutorial import TUTORIAL, Typed, answer, timeless, typed, write_files
from tests.host.cli.command import headrace, running
from tests.host.serve.house import swap_in

PROMISES, CHANGE = list(typed("promises.md")), list(typed("change.md"))
OLD = "overload when pool.queue > 5.0 || pool.running > 5.0 {\n"
PATIENCE_S = 10.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, that commands run in, with every file of the tutorial."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    return tmp_path


def reads(path: Path, text: str) -> str:
    """Return what *path* says once *text* is in it, waiting for that."""
    until_s = time.monotonic() + PATIENCE_S
    while text not in (said := path.read_text()):
        assert time.monotonic() < until_s, said
        time.sleep(0.02)
    return said


def test_the_page_types_what_it_is_tested_for() -> None:
    assert [one.command.split()[1] for one in PROMISES] == ["test", "test", "explain", "check"]
    assert [one.command.split()[1] for one in CHANGE] == ["diff", "serve", "rollback"]


@pytest.mark.parametrize("typed", [PROMISES[0], *PROMISES[2:], CHANGE[0]], ids=lambda t: t.command)
def test_a_command_answers_as_the_page_shows(folder: Path, typed: Typed) -> None:
    assert folder.is_dir()
    assert answer(typed.command) == timeless(typed.shown)


def test_the_mistake_of_the_page_fails_as_the_page_shows(folder: Path) -> None:
    (line,) = [b.text for b in blocks_of(TUTORIAL / "promises.md") if b.kind == "text"]
    first = (folder / "my.sched").read_text()
    assert OLD in first
    (folder / "my.sched").write_text(first.replace(OLD, line))

    assert answer(PROMISES[1].command) == timeless(PROMISES[1].shown)


def test_the_promises_hold_for_the_changed_policy(folder: Path) -> None:
    (folder / "my.sched").write_text((folder / "my-named.sched").read_text())

    assert headrace("test", "my_test.sched").out.startswith("4 of 4 tests passed")


def test_a_change_is_swapped_in_refused_and_taken_back_as_the_page_shows(folder: Path) -> None:
    log, policy = folder / "serve.log", folder / "my.sched"
    serve, rollback = CHANGE[1], CHANGE[2]
    assert serve.command == "headrace serve my.sched 2> serve.log &"
    swapped, refused = [
        block.text for block in blocks_of(TUTORIAL / "change.md") if block.kind == "text"
    ]
    ports = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")

    with running("serve", "my.sched", *ports, "--reload-interval", "0.05", err=log) as (_, ready):
        swap_in(policy, (folder / "my-named.sched").read_text())
        assert swapped in reads(log, "swapped")
        swap_in(policy, policy.read_text().replace("endpoint.queue", "endpoint.qeue"))
        assert refused in reads(log, "error[")
        back = headrace(*rollback.command.split()[1:], "--metrics", ready["metrics"])

    assert f"policy={ready['policy']}" in serve.shown
    assert back.out == rollback.shown + "\n"
