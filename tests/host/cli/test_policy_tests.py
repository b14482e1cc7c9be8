"""`headrace test`: 0 if all hold, 1 if not, 2 for a wrong command line."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import msgspec
import pytest

from tests.host.cli.command import ROOT, Done, headrace

POLICY = (
    'sched 1\npool gemma { endpoints "10.0.0.7:8000" }\nmodel chat { priority 10  route gemma }\n'
)
GOOD = 'test "it goes there" { when request { "model": "chat" } expect decision.pool == "gemma" }\n'
BAD = 'test "it is <shed>" { when request { "model": "chat" } expect decision.shed }\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "chat.sched").write_text(POLICY)
    (tmp_path / "chat_test.sched").write_text(f'sched 1\nimport "chat.sched"\n{GOOD}{BAD}')
    return tmp_path


def run(folder: Path, *flags: str) -> Done:
    return headrace("test", str(folder), *flags)


def test_the_shipped_policies_keep_their_promises() -> None:
    done = headrace("test", str(ROOT / "policies"), "--format", "json")
    told = msgspec.json.decode(done.out)

    assert done.code == 0, done.out
    assert told["failed"] == told["broken"] == 0
    assert told["passed"] >= 40


def test_a_failure_is_one_with_its_values(folder: Path) -> None:
    done = run(folder)

    assert done.code == 1
    assert "FAILED it is <shed>" in done.out
    assert "decision.shed" in done.out
    assert "1 of 2 tests passed, 1 failed" in done.out


def test_k_chooses_by_name_and_an_empty_choice_is_no_success(folder: Path) -> None:
    assert run(folder, "-k", "GOES").code == 0
    nothing = run(folder, "-k", "nowhere")

    assert nothing.code == 1
    assert "no test has `nowhere`" in nothing.err


def test_junit_has_every_case_and_is_well_formed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "junit.xml"
    done = run(folder, "--junit", str(out))
    root = ElementTree.parse(out).getroot()

    assert done.code == 1
    assert root.attrib["tests"] == "2"
    assert root.attrib["failures"] == "1"
    names = [case.attrib["name"] for case in root.iter("testcase")]
    assert names == ["it goes there", "it is <shed>"]
    (failed,) = root.iter("failure")
    assert "how it was decided" in (failed.text or "")


def test_json_tells_each_case_with_its_expectation_and_decision(folder: Path) -> None:
    told = msgspec.json.decode(run(folder, "--format", "json", "--coverage").out)
    good, bad = told["suites"][1]["tests"]

    assert good["passed"]
    assert bad["missed"][0]["expectation"]["text"] == "decision.shed"
    assert bad["decision"]["pool"] == "gemma"
    assert told["coverage"]["points"] == 0


def test_coverage_is_listed_and_can_be_required(folder: Path) -> None:
    rules = "overload when pool.queue > 5.0 { shed when request.priority < 0 }\n"
    (folder / "chat.sched").write_text(POLICY + rules)
    (folder / "chat_test.sched").write_text(f'sched 1\nimport "chat.sched"\n{GOOD}')
    done = run(folder, "--coverage")
    strict = run(folder, "--coverage-min", "80")

    assert done.code == 0
    assert "shed: turns a request away" in done.out
    assert "coverage 0.0%: 0 of 2 rules and branches" in done.out
    assert strict.code == 1
    assert "coverage is below 80%" in strict.err


def test_a_policy_without_tests_fails_only_where_they_are_required(folder: Path) -> None:
    (folder / "chat_test.sched").write_text(f'sched 1\nimport "chat.sched"\n{GOOD}')
    (folder / "other.sched").write_text(POLICY)

    assert run(folder).code == 0
    required = run(folder, "--require-tests")
    assert required.code == 1
    assert required.err.count("has no test") == 1
    assert "other.sched" in required.err


def test_a_policy_that_does_not_compile_is_a_finding_and_the_others_run(folder: Path) -> None:
    (folder / "broken.sched").write_text("sched 1\npol gemma { }\n")
    done = run(folder, "-k", "goes")

    assert done.code == 1
    assert "error[S1" in done.out
    assert "1 of 1 tests passed, 1 policies do not compile" in done.out


def test_several_files_can_make_one_policy(tmp_path: Path) -> None:
    (tmp_path / "a.sched").write_text(POLICY)
    (tmp_path / "b.sched").write_text(f"sched 1\n{GOOD}")
    files = (str(tmp_path / "a.sched"), str(tmp_path / "b.sched"))

    assert headrace("test", *files, "--together").code == 0
    assert headrace("test", *files).code == 1


@pytest.mark.parametrize(
    "flags", [("--coverage-min", "101"), ("--junit", "/no/such/folder/x.xml"), ("--nope",)]
)
def test_a_wrong_command_line_is_two(folder: Path, flags: tuple[str, ...]) -> None:
    assert run(folder, *flags).code == 2


def test_a_path_that_cannot_be_read_is_two(tmp_path: Path) -> None:
    assert headrace("test", str(tmp_path / "none.sched")).code == 2
    assert headrace("test", str(tmp_path)).code == 2
