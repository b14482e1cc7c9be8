"""The example stage is as short as its README says, and its own tests pass."""

import subprocess
import sys
import tomllib

from tests.host.cli.command import ROOT

FOLDER = ROOT / "examples" / "stage"


def test_the_example_stage_passes_its_own_tests() -> None:
    done = subprocess.run(
        (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/stage"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_example_stage_is_as_short_as_it_says() -> None:
    assert len((FOLDER / "acme_headrace.py").read_text().splitlines()) <= 60


def test_its_entry_point_is_where_the_host_looks() -> None:
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]

    assert project["entry-points"] == {"headrace.stages": {"acme_redactor": "acme_headrace:build"}}
