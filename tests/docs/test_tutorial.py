"""The tutorial's policy is clean, and its mistake reads as the page shows it."""

from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Block, blocks_of
from tests.host.cli.command import headrace

PAGE = ROOT / "docs" / "tutorial" / "first-policy.md"
BLOCKS = list(blocks_of(PAGE))


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the page's policy, written to `my.sched` in a folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my.sched"
    path.write_text(_only("sched").text)
    return path


def test_the_policy_is_clean_as_the_page_says(policy: Path) -> None:
    command, _, shown = _only("console").text.partition("\n")

    assert command == "$ headrace check my.sched"
    assert headrace("check", "my.sched").out == shown


def test_the_mistake_reads_as_the_page_shows_it(policy: Path) -> None:
    policy.write_text(policy.read_text().replace("endpoint.queue", "endpoint.qeue"))
    shown = next(block.text for block in BLOCKS if block.text.startswith("error["))

    done = headrace("check", "my.sched")

    assert done.code == 1
    assert done.out == shown


def test_envoy_can_be_told_what_the_policy_needs(policy: Path) -> None:
    done = headrace("envoy-config", "my.sched")

    assert done.code == 0, done.err
    assert "x-headrace-pool" in done.out
    assert "127.0.0.1" in done.out


def _only(kind: str) -> Block:
    (block,) = [block for block in BLOCKS if block.kind == kind]
    return block
