"""Run the command line: in this process for what prints and exits, as a child for what serves."""

import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from headrace.host.cli.main import build_app

ROOT = Path(__file__).parents[3]
QUICKSTART = str(ROOT / "policies" / "quickstart.sched")
Child = Generator[tuple["subprocess.Popen[str]", dict[str, str]], None, None]
HEADRACE = (sys.executable, "-m", "headrace.host.cli.main")


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def headrace(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: str | bytes | None = None
) -> Done:
    """Run ``headrace ARGUMENTS`` in this process."""
    result = CliRunner().invoke(build_app(), list(arguments), input=stdin, env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


@contextmanager
def running(*arguments: str, err: Path | None = None) -> Child:
    """Run ``headrace ARGUMENTS`` as a child; yield it and the fields of its `ready` line.

    *err* is the file that takes its standard error, which is else a pipe.
    """
    with (
        err.open("wb") if err else nullcontext(subprocess.PIPE) as log,
        subprocess.Popen(
            (*HEADRACE, *arguments), stdout=subprocess.PIPE, stderr=log, text=True
        ) as child,
    ):
        try:
            assert child.stdout is not None
            word, *fields = child.stdout.readline().split()
            assert word == "ready", (word, fields)
            yield child, dict(field.split("=", 1) for field in fields)
        finally:
            child.kill()
