"""Policy files: found, read and compiled, with every mistake in them told."""

import sys
import sysconfig
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from headrace.dsl.diagnostic import PolicyError, render
from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.extensions.registry import GROUP
from headrace.host.cli.flags import Mistakes, reason

POLICY_BYTES_MAX = 4 << 20  # a policy is written by hand; what is larger is another file
STDIN = "-"

Policies = Annotated[
    list[str],
    typer.Argument(metavar="POLICY...", help="`.sched` files that make one policy; `-` is stdin."),
]


def read_sources(paths: Sequence[str], mistakes: Mistakes) -> list[Source]:
    """Return the texts at *paths*, in order; note those that cannot be read."""
    sources: list[Source] = []
    for path in dict.fromkeys(paths):
        text = _read(path, mistakes)
        if text is not None:
            sources.append(Source("<stdin>" if path == STDIN else path, text))
    return sources


def compile_sources(sources: Sequence[Source], mistakes: Mistakes) -> Program | None:
    """Return what *sources* compile to; if they do not, note every reason and return None."""
    try:
        return compile_policy(sources, installed_stages())
    except PolicyError as error:
        mistakes.texts.extend(render(d).rstrip("\n") for d in error.diagnostics)
        return None


def installed_stages() -> frozenset[str]:
    """Return the names a chain may have: of our own stages, and of those installed beside."""
    return frozenset(point.name for point in entry_points(group=GROUP))


def load_program(paths: Sequence[str], mistakes: Mistakes) -> Program | None:
    """Return the program of the policy at *paths*, or note why there is none."""
    noted = len(mistakes.texts)
    sources = read_sources(paths, mistakes)
    return compile_sources(sources, mistakes) if len(mistakes.texts) == noted else None


def shipped_policy(name: str) -> Path | None:
    """Return where the policy file *name* that comes with Headrace is, if it is there.

    Of an installation in its data folder, of a checkout in `policies/`.
    """
    checkout = Path(__file__).resolve().parents[4] / "policies" / name
    installed = Path(sysconfig.get_path("data")) / "share" / "headrace" / "policies" / name
    return next((path for path in (checkout, installed) if path.is_file()), None)


def _read(path: str, mistakes: Mistakes) -> str | None:
    try:
        if path == STDIN:
            raw = sys.stdin.buffer.read(POLICY_BYTES_MAX + 1)
        else:
            with Path(path).open("rb") as file:
                raw = file.read(POLICY_BYTES_MAX + 1)
        if len(raw) > POLICY_BYTES_MAX:
            mistakes.add(f"policy `{path}` is larger than {POLICY_BYTES_MAX >> 20} MiB")
            return None
        return raw.decode()
    except OSError as error:
        mistakes.add(f"cannot read policy `{path}`: {reason(error)}")
    except ValueError as error:  # not UTF-8, or a NUL in the path
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        mistakes.add(f"policy `{path}` is not UTF-8 at byte {start}: save it as UTF-8")
    return None
