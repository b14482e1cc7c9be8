"""The decision log: every decision, bounded, and never in the way."""

import time
from pathlib import Path

import msgspec

from headrace.host.explain.log import FILES_MAX, DecisionLog
from headrace.host.explain.page import page
from headrace.host.explain.story import Story
from headrace.host.explain.tell import Noted, Teller, decided, note
from headrace.host.policytest.run import Runner
from headrace.host.policytest.world import world
from tests.host.policytest.house import CHAT, program

POLICY = CHAT + (
    'class nightly when request.header("x-job") == "batch" { priority -10 }\n'
    "overload when pool.queue > 5.0 { shed when request.priority < 0 }\n"
    'test "t" { given pool gemma { endpoint a { "queue": 9 } endpoint b { "queue": 8 } }\n'
    '  when request { "model": "chat", "headers": { "x-job": "batch" } } expect decision.shed\n'
    '  when request { "model": "chat", "prompt": "a secret prompt" } expect !decision.shed }\n'
)
CLOSE_S = 10.0


def notes() -> list[Noted]:
    """Return what is kept of two exchanges: one that was shed, and one that was not."""
    compiled = program(POLICY)
    runner = Runner(compiled)
    found: list[Noted] = []
    for case in compiled.tests:
        ran = runner.request(case.request, world(compiled, case.pools))
        assert decided(ran.outcome)
        found.append(note(ran.outcome, 1_700_000_000.0))
    return found


def test_what_is_written_tells_the_same_story_without_the_policy(tmp_path: Path) -> None:
    dropped: list[int] = []
    log = DecisionLog(tmp_path / "d.jsonl", dropped.append)
    log.start()
    kept = notes()
    for one in kept:
        log.put(one)

    assert log.close(CLOSE_S)
    lines = (tmp_path / "d.jsonl").read_bytes().splitlines()
    read = [msgspec.json.decode(line, type=Story) for line in lines]
    assert read == [Teller().tell(one) for one in kept]
    assert "shed?" in page(read[0])
    assert "◀ picked" in page(read[1])
    assert dropped == []


def test_nothing_of_a_prompt_or_a_body_is_kept_or_written(tmp_path: Path) -> None:
    shed, passed = notes()

    assert shed.outcome.request.body is None
    assert passed.outcome.request.call is None
    assert "secret prompt" not in msgspec.json.encode(Teller().tell(passed)).decode()


def test_files_are_rotated_and_their_number_is_bounded(tmp_path: Path) -> None:
    log = DecisionLog(tmp_path / "d.jsonl", lambda count: None, file_bytes_max=4000)
    log.start()
    one = notes()[1]
    for _ in range(20):
        log.put(one)

    assert log.close(CLOSE_S)
    files = sorted(tmp_path.iterdir())
    assert [f.name for f in files] == ["d.jsonl", "d.jsonl.1", "d.jsonl.2"]
    assert len(files) == FILES_MAX
    assert all(0 < f.stat().st_size <= 4000 for f in files)


def test_what_waits_is_bounded_and_what_is_dropped_is_counted(tmp_path: Path) -> None:
    dropped: list[int] = []
    log = DecisionLog(tmp_path / "d.jsonl", dropped.append, waiting_max=3)
    one = notes()[0]
    began_s = time.perf_counter()
    for _ in range(10):  # nothing writes yet
        log.put(one)
    took_s = time.perf_counter() - began_s
    log.start()

    assert sum(dropped) == 7
    assert took_s < 0.1
    assert log.close(CLOSE_S)
    assert len((tmp_path / "d.jsonl").read_bytes().splitlines()) == 3


def test_a_disk_that_refuses_costs_decisions_and_not_the_thread(tmp_path: Path) -> None:
    dropped: list[int] = []
    folder = tmp_path / "logs"
    folder.mkdir()
    log = DecisionLog(folder / "d.jsonl", dropped.append, file_bytes_max=10)
    log.start()
    one = notes()[0]
    (folder / "d.jsonl.1").mkdir()  # so that the first file cannot take its place
    (folder / "d.jsonl.1" / "x").touch()
    (folder / "d.jsonl.2").mkdir()
    (folder / "d.jsonl.2" / "x").touch()
    for _ in range(3):
        log.put(one)

    assert log.close(CLOSE_S)
    assert sum(dropped) >= 1
