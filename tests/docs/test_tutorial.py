"""The first page of the tutorial: its policy is clean, and its mistake reads as shown."""

from pathlib import Path

import pytest

from tests.docs.pages import blocks_of
from tests.docs.tutorial import TUTORIAL, Typed, answer, typed, write_files
from tests.host.cli.command import headrace

PAGE = "first-policy.md"


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the page's policy, written to `my.sched` in a folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    return tmp_path / "my.sched"


@pytest.mark.parametrize("typed", list(typed(PAGE)), ids=lambda typed: typed.command)
def test_a_command_answers_as_the_page_shows(policy: Path, typed: Typed) -> None:
    before = policy.read_text()

    assert answer(typed.command) == typed.shown
    assert policy.read_text() == before


def test_the_mistake_reads_as_the_page_shows_it(policy: Path) -> None:
    policy.write_text(policy.read_text().replace("endpoint.queue", "endpoint.qeue"))
    texts = [block.text for block in blocks_of(TUTORIAL / PAGE) if block.kind == "text"]

    done = headrace("check", "my.sched")

    assert done.code == 1
    assert done.out in texts


def test_envoy_can_be_told_what_the_policy_needs(policy: Path) -> None:
    done = headrace("envoy-config", policy.name)

    assert done.code == 0, done.err
    assert "x-headrace-pool" in done.out
    assert "127.0.0.1" in done.out


def test_every_file_of_the_tutorial_is_in_order(policy: Path) -> None:
    done = headrace("fmt", "--diff", str(policy.parent))

    assert (done.code, done.out) == (0, "")
