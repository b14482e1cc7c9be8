"""Imports on disk: in or below the policy's folder, links followed as far as they stay there."""

import os
from pathlib import Path

import pytest

from headrace.host.cli.flags import Mistakes
from headrace.host.cli.policies import load_program
from headrace.host.serve.files import FILE_BYTES_MAX
from tests.host.cli.command import headrace

POOL = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\n'
POLICY = 'sched 1\nimport "{}"\nmodel chat {{ route gemma }}\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a policy that imports `common/pools.sched`, which is there."""
    folder = tmp_path / "policy"
    (folder / "common").mkdir(parents=True)
    (folder / "a.sched").write_text(POLICY.format("common/pools.sched"))
    (folder / "common" / "pools.sched").write_text(POOL)
    return folder


def checked(path: Path) -> tuple[int, str]:
    done = headrace("check", str(path))
    return done.code, done.out


def test_an_import_is_found_from_the_folder_of_its_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checked(home / "a.sched")[0] == 0

    monkeypatch.chdir(home)
    assert checked(Path("a.sched"))[0] == 0
    assert checked(Path("."))[0] == 0


def test_a_folder_may_hold_a_file_and_what_imports_it(home: Path) -> None:
    (home / "b.sched").write_text(POOL.replace("gemma", "other"))
    (home / "a.sched").write_text('sched 1\nimport "b.sched"\nmodel chat { route other }\n')

    assert checked(home)[0] == 0


def test_the_links_of_a_mounted_config_map_are_followed(tmp_path: Path) -> None:
    mount, data = tmp_path / "mount", tmp_path / "mount" / "..2026_11_22"
    data.mkdir(parents=True)
    (data / "a.sched").write_text(POLICY.format("pools.sched"))
    (data / "pools.sched").write_text(POOL)
    (mount / "..data").symlink_to(data.name)
    for name in ("a.sched", "pools.sched"):
        (mount / name).symlink_to(f"..data/{name}")

    assert checked(mount / "a.sched")[0] == 0


def test_a_link_that_leads_out_is_not_followed(home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.sched"
    secret.write_text(POOL)
    (home / "common" / "pools.sched").unlink()
    (home / "common" / "pools.sched").symlink_to(secret)
    code, out = checked(home / "a.sched")

    assert code == 1
    assert "is a link that leads out of the policy's folder" in out


def test_a_folder_with_a_similar_name_is_elsewhere(home: Path, tmp_path: Path) -> None:
    beside = tmp_path / "policy-b"
    beside.mkdir()
    (beside / "pools.sched").write_text(POOL)
    (home / "common" / "pools.sched").unlink()
    (home / "common" / "pools.sched").symlink_to(beside / "pools.sched")

    assert "leads out" in checked(home / "a.sched")[1]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("missing", "there is no file `common/pools.sched`"),
        ("folder", "there is no file `common/pools.sched`"),
        ("pipe", "there is no file `common/pools.sched`"),
        ("bytes", "is not UTF-8 at byte 1"),
        ("large", "is larger than 4 MiB"),
    ],
)
def test_what_is_no_policy_file_is_refused(home: Path, kind: str, told: str) -> None:
    path = home / "common" / "pools.sched"
    path.unlink()
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)  # opening it would wait for ever
        case "bytes":
            path.write_bytes(b"a\xff")
        case "large":
            path.write_bytes(b"#" * (FILE_BYTES_MAX + 1))
        case _:
            pass
    code, out = checked(home / "a.sched")

    assert (code, out.count("error[S225]")) == (1, 1)
    assert told in out


def test_standard_input_has_no_folder_to_import_from() -> None:
    done = headrace("check", "-", stdin=POLICY.format("pools.sched"))

    assert "standard input has no folder to import from" in done.out


def test_the_files_that_were_read_are_known_so_that_they_can_be_watched(home: Path) -> None:
    read: dict[str, str] = {}
    program = load_program([str(home / "a.sched")], Mistakes(), read)

    assert program is not None
    assert {Path(name) for name in read} == {home / "a.sched", home / "common" / "pools.sched"}
    assert len(set(read.values())) == 2


@pytest.mark.parametrize("command", ["serve", "envoy-config"])
def test_what_is_not_performed_is_an_error_for_who_would_have_to(
    command: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.sched"
    plugin = (
        "profile default { score 1 * short  use plugin prefix-cache-scorer { block 32 tokens } }"
    )
    path.write_text(f"{POOL}model chat {{ route gemma }}\nscorer short = 100%\n{plugin}\n")
    done = headrace(command, str(path))

    assert done.code == 2
    assert "error[S108]: `use plugin` is understood, and this host does not perform it" in done.err
    assert checked(path)[0] == 0
