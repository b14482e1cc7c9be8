"""`headrace check`: 0 clean, 1 findings, 2 usage; for people and for machines."""

from pathlib import Path

import msgspec
import pytest

from tests.host.cli.command import QUICKSTART, ROOT, headrace

CLEAN = (ROOT / "policies" / "quickstart.sched").read_text()
THREE_WRONG = CLEAN.replace("route 90% to gemma", "route 80% to gemma").replace(
    "profile adapters\n", "profile adaptors\n", 1
)


@pytest.fixture
def wrong(tmp_path: Path) -> str:
    path = tmp_path / "wrong.sched"
    path.write_text(THREE_WRONG)
    return str(path)


def test_the_shipped_policies_and_examples_are_clean() -> None:
    shipped = [*ROOT.glob("policies/*.sched"), *ROOT.glob("examples/**/*.sched")]

    assert len(shipped) >= 2
    for path in shipped:
        done = headrace("check", str(path))
        assert (done.code, done.out) == (0, f"{path}: clean\n"), done.err


def test_findings_are_shown_all_at_once_with_where_and_what(wrong: str) -> None:
    done = headrace("check", wrong)

    assert done.code == 1
    assert done.out.count(f"--> {wrong}:") >= 2
    assert "did you mean `adapters`?" in done.out
    assert done.out.endswith(f"findings in {wrong}\n")


def test_machines_get_the_same_findings_as_json(wrong: str) -> None:
    done = headrace("check", wrong, "--format", "json")

    report = msgspec.json.decode(done.out)
    assert done.code == 1
    assert report["clean"] is False
    assert {finding["file"] for finding in report["findings"]} == {wrong}
    assert all(f["line"] > 0 and f["code"] and f["message"] for f in report["findings"])


def test_clean_is_said_as_json_too() -> None:
    done = headrace("check", QUICKSTART, env={"HEADRACE_FORMAT": "json"})

    assert (done.code, msgspec.json.decode(done.out)) == (0, {"clean": True, "findings": []})


def test_a_policy_may_come_by_stdin() -> None:
    assert headrace("check", "-", stdin=CLEAN).out == "<stdin>: clean\n"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("absent.sched", None, "error: cannot read policy `{path}`: no such file or directory"),
        ("latin1.sched", b"sched 1\n# caf\xe9\n", "error: policy `{path}` is not UTF-8 at byte 13"),
        ("big.sched", b"#" * ((4 << 20) + 1), "error: policy `{path}` is larger than 4 MiB"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_usage_error(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    done = headrace("check", str(path))

    assert (done.code, done.out) == (2, "")
    assert says.format(path=path) in done.err


def test_all_unreadable_files_are_named_and_no_policy_is_a_usage_error(tmp_path: Path) -> None:
    done = headrace("check", str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path))

    assert done.code == 2
    assert done.err.count("error: cannot read policy") == 3
    assert headrace("check").code == 2
    assert headrace("check", QUICKSTART, "--format", "xml").code == 2
