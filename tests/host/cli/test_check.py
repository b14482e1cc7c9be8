"""`headrace check`: 0 clean, 1 findings, 2 usage; for people and for machines."""

import re
from pathlib import Path

import msgspec
import pytest

from headrace.host.serve.files import FILES_MAX
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
        done = headrace("check", str(path), "--format", "json")
        found = {f["code"] for f in msgspec.json.decode(done.out)["findings"]}
        # A test block is understood before a host performs it, and says so by S108.
        assert (done.code, found - {"S108"}) == (0, set()), done.out


def test_findings_are_shown_all_at_once_with_where_and_what(wrong: str) -> None:
    done = headrace("check", wrong)

    assert done.code == 1
    assert done.out.count(f"--> {wrong}:") >= 2
    assert "did you mean `adapters`?" in done.out
    assert re.search(rf"\d errors?(, \d warnings?)? in {re.escape(wrong)}\n$", done.out)


def test_machines_get_the_same_findings_as_json(wrong: str) -> None:
    done = headrace("check", wrong, "--format", "json")

    report = msgspec.json.decode(done.out)
    assert done.code == 1
    assert report["clean"] is False
    assert {finding["file"] for finding in report["findings"]} == {wrong}
    assert all(f["line"] > 0 and f["code"] and f["message"] for f in report["findings"])


def test_clean_is_said_as_json_too() -> None:
    done = headrace("check", QUICKSTART, env={"HEADRACE_FORMAT": "json"})

    assert (done.code, msgspec.json.decode(done.out)) == (
        0,
        {"clean": True, "errors": 0, "warnings": 0, "notes": 0, "more": 0, "findings": []},
    )


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
    assert done.err.count("error: cannot read policy") == 2
    assert done.err.count("has no policy: put a `.sched` file in it") == 1
    assert headrace("check").code == 2
    assert headrace("check", QUICKSTART, "--format", "xml").code == 2


@pytest.mark.parametrize("command", [("check",), ("check", "--each"), ("fmt",), ("test",)])
def test_a_directory_with_too_many_files_is_refused_whole(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    for number in range(FILES_MAX + 1):
        (tmp_path / f"{number}.sched").write_text("sched 1\n")

    done = headrace(*command, str(tmp_path))

    assert done.code == 2
    assert f"`{tmp_path}` has more than 256 policy files: name a part of it" in done.err


WARNS = CLEAN + "filter spare = endpoint.queue < 9\n"


def test_warnings_fail_only_if_they_are_denied(tmp_path: Path) -> None:
    path = tmp_path / "warns.sched"
    path.write_text(WARNS)

    lenient = headrace("check", str(path))
    assert (lenient.code, "1 warning in" in lenient.out) == (0, True)
    assert headrace("check", str(path), "--deny", "S307").code == 1
    assert headrace("check", str(path), "--deny", "S311").code == 0
    assert headrace("check", str(path), "--deny", "warnings").code == 1
    assert headrace("check", str(path), "--deny", "S201").code == 2


def test_findings_beyond_a_bound_are_counted(wrong: str) -> None:
    done = headrace("check", wrong, "--max-errors", "1")

    assert done.out.count("-->") == 1
    assert "more not shown" in done.out
    assert headrace("check", wrong, "--max-errors", "0").code == 2


def test_safe_fixes_are_written_and_told_and_the_rest_is_left(tmp_path: Path) -> None:
    path = tmp_path / "habits.sched"
    path.write_bytes(
        CLEAN.encode() + b"filter spare = endpoint.ready and endpoint.qeue < 5  # caf\xc3\xa9\r\n"
    )
    path.chmod(0o640)
    done = headrace("check", str(path), "--fix", "--format", "json")

    assert "fixed " in done.err
    assert "replace `and` with `&&`" in done.err
    assert path.read_bytes().endswith(b"endpoint.ready && endpoint.qeue < 5  # caf\xc3\xa9\r\n")
    assert path.stat().st_mode & 0o777 == 0o640
    assert {f["code"] for f in msgspec.json.decode(done.out)["findings"]} >= {"S201"}
    assert [p.name for p in tmp_path.iterdir()] == ["habits.sched"]


def test_a_clean_file_is_not_written_and_standard_input_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "clean.sched"
    path.write_text(CLEAN)
    path.chmod(0o444)
    before = path.stat().st_ino

    assert headrace("check", str(path), "--fix").code == 0
    assert path.stat().st_ino == before
    assert headrace("check", "-", "--fix", stdin=CLEAN).code == 2


def test_a_directory_is_one_policy_or_each_file_is_one(tmp_path: Path) -> None:
    for name in ("a.sched", "b.sched"):
        (tmp_path / name).write_text(CLEAN)

    together = headrace("check", str(tmp_path), "--format", "json")
    assert {f["code"] for f in msgspec.json.decode(together.out)["findings"]} >= {"S207"}
    assert headrace("check", str(tmp_path), "--each").code == 0


@pytest.mark.parametrize("format_", ["human", "plain", "json", "sarif", "github"])
def test_every_format_shows_the_same_codes(wrong: str, format_: str) -> None:
    done = headrace("check", wrong, "--format", format_)

    assert done.code == 1
    assert {"S210", "S302"} <= set(re.findall(r"S\d{3}", done.out))
    assert "\x1b" not in done.out
