"""`headrace fmt`: in place, at once, and nothing that has a mistake."""

import stat
from pathlib import Path

import pytest

from tests.host.cli.command import QUICKSTART, headrace

UGLY = "sched 1\nfilter   a=endpoint.ready   # why\n"
NICE = "sched 1\nfilter a = endpoint.ready  # why\n"
BROKEN = "sched 1\npool a { selct }\n"


@pytest.fixture
def ugly(tmp_path: Path) -> Path:
    path = tmp_path / "ugly.sched"
    path.write_text(UGLY)
    path.chmod(0o640)
    return path


def test_a_file_is_formatted_in_place_and_keeps_its_mode(ugly: Path) -> None:
    done = headrace("fmt", str(ugly))

    assert (done.code, done.out, done.err) == (0, "", "")
    assert ugly.read_text() == NICE
    assert stat.S_IMODE(ugly.stat().st_mode) == 0o640
    assert [p.name for p in ugly.parent.iterdir()] == ["ugly.sched"]


def test_what_is_formatted_is_not_written_again(ugly: Path) -> None:
    headrace("fmt", str(ugly))
    before = ugly.stat()

    assert headrace("fmt", str(ugly)).code == 0
    assert (ugly.stat().st_ino, ugly.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_check_lists_what_is_not_formatted_and_changes_nothing(ugly: Path) -> None:
    done = headrace("fmt", "--check", str(ugly), QUICKSTART)

    assert (done.code, done.out) == (1, f"{ugly}\n")
    assert ugly.read_text() == UGLY
    assert headrace("fmt", "--check", QUICKSTART).code == 0


def test_diff_shows_what_would_change(ugly: Path) -> None:
    done = headrace("fmt", "--diff", str(ugly))

    assert done.code == 1
    assert "-filter   a=endpoint.ready   # why\n" in done.out
    assert "+filter a = endpoint.ready  # why\n" in done.out
    assert ugly.read_text() == UGLY


def test_a_line_without_an_end_does_not_run_into_the_next_of_a_diff(tmp_path: Path) -> None:
    path = tmp_path / "short.sched"
    path.write_text("sched   1")

    assert "-sched   1\n+sched 1\n" in headrace("fmt", "--diff", str(path)).out


def test_standard_input_goes_to_standard_output() -> None:
    done = headrace("fmt", "-", stdin=UGLY)

    assert (done.code, done.out) == (0, NICE)


def test_a_mistake_of_syntax_is_told_and_the_file_stays(tmp_path: Path, ugly: Path) -> None:
    broken = tmp_path / "broken.sched"
    broken.write_text(BROKEN)

    done = headrace("fmt", str(broken), str(ugly))

    assert done.code == 1
    assert "error[S102]: unknown setting `selct` in `pool`" in done.err
    assert f"`{broken}` is not formatted: cure its syntax first" in done.err
    assert broken.read_text() == BROKEN
    assert ugly.read_text() == NICE


def test_a_directory_means_all_policies_below(ugly: Path) -> None:
    for name in ("sub", ".hidden"):
        (ugly.parent / name).mkdir()
        (ugly.parent / name / "a_test.sched").write_text(UGLY)

    done = headrace("fmt", "--check", str(ugly.parent))

    assert done.out.splitlines() == [str(ugly), str(ugly.parent / "sub" / "a_test.sched")]


def test_an_empty_directory_is_a_mistake_of_the_command_line(tmp_path: Path) -> None:
    done = headrace("fmt", str(tmp_path))

    assert done.code == 2
    assert "has no policy" in done.err


def test_windows_line_ends_become_line_feeds_and_that_is_said(ugly: Path) -> None:
    ugly.write_bytes(UGLY.replace("\n", "\r\n").encode())

    done = headrace("fmt", str(ugly))

    assert (done.code, ugly.read_bytes()) == (0, NICE.encode())
    assert f"note: `{ugly}`: its lines end with LF now, not CR LF" in done.err


def test_a_link_stays_a_link(ugly: Path) -> None:
    link = ugly.parent / "link.sched"
    link.symlink_to(ugly)

    headrace("fmt", str(link))

    assert link.is_symlink()
    assert ugly.read_text() == NICE


def test_a_file_that_cannot_be_written_is_told(ugly: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_from: str, _to: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)

    done = headrace("fmt", str(ugly))

    assert (done.code, ugly.read_text()) == (2, UGLY)
    assert f"cannot write `{ugly}`: permission denied" in done.err
    assert [p.name for p in ugly.parent.iterdir()] == ["ugly.sched"]
