"""Policy files: found, read and compiled, with every mistake in them told."""

import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from headrace.dsl.policy import compile_policy
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import PolicyError, render
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.dsl.unperformed import unperformed
from headrace.extensions.registry import GROUP, declared
from headrace.host.cli.flags import Mistakes, reason
from headrace.host.cli.imports import Imports
from headrace.host.serve.files import FILE_BYTES_MAX as POLICY_BYTES_MAX
from headrace.host.serve.files import FILES_MAX, SUFFIX, digest_of, files_of
from headrace.host.serve.files import STDIN as STDIN
from headrace.host.serve.load import Loaded

SelfTest = Callable[[Program], list[str]]  # what is wrong, by the policy's own test blocks

Policies = Annotated[
    list[str],
    typer.Argument(
        metavar="POLICY",
        help="`.sched` files, and directories of them, that make one policy; `-` is stdin.",
    ),
]

MaybePolicies = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[POLICY]...",
        help="`.sched` files, and directories of them, that make one policy; `-` is stdin. None "
        "are needed with --policies-from.",
    ),
]


def read_sources(paths: Sequence[str], mistakes: Mistakes) -> list[Source]:
    """Return the texts at *paths*, in order; note those that cannot be read."""
    sources: list[Source] = []
    files = (file for path in paths for file in opened(path, mistakes))
    for path in dict.fromkeys(files):
        text = _read(path, mistakes)
        if text is not None:
            sources.append(Source("<stdin>" if path == STDIN else path, text))
    return sources


def opened(path: str, mistakes: Mistakes, *, tests: bool = False) -> list[str]:
    """Return the files that *path* means; note a directory that has none or too many.

    tests  those of a directory that are tests are meant, too
    """
    try:
        return counted(path, files_of(path, tests=tests), mistakes)
    except OSError as error:
        mistakes.add(f"cannot read policy `{path}`: {reason(error)}")
        return []


def counted(path: str, files: list[str], mistakes: Mistakes) -> list[str]:
    """Return *files*, which are those of *path*; note if there are none or too many."""
    if not files:
        mistakes.add(f"directory `{path}` has no policy: put a `{SUFFIX}` file in it")
    if len(files) > FILES_MAX:
        text = f"directory `{path}` has more than {FILES_MAX} policy files: name a part of it"
        mistakes.add(text)
    return files


def compile_sources(
    sources: Sequence[Source], mistakes: Mistakes, imports: Imports | None = None
) -> Program | None:
    """Return what *sources* compile to; if they do not, note every reason and return None.

    What compiles and is not performed by this host is a reason, too. *imports* takes note of
    the files that are imported.
    """
    opened = imports or Imports.of(sources)
    try:
        program = compile_policy(sources, installed_stages(), loader=opened.load, declares=declared)
    except PolicyError as error:
        mistakes.texts.extend(render(d).rstrip("\n") for d in error.diagnostics)
        mistakes.found.extend(error.diagnostics)
        return None
    without_effect = [replace(d, level=Level.ERROR) for d in unperformed(program)]
    mistakes.texts.extend(render(d).rstrip("\n") for d in without_effect)
    mistakes.found.extend(without_effect)
    return None if without_effect else program


def installed_stages() -> frozenset[str]:
    """Return the names a chain may have: of our own stages, and of those installed beside."""
    return frozenset(point.name for point in entry_points(group=GROUP))


def load_program(
    paths: Sequence[str],
    mistakes: Mistakes,
    read: dict[str, str] | None = None,
    texts: Sequence[Source] = (),
) -> Program | None:
    """Return the program of the policy at *paths*, or note why there is none.

    read   takes the files it is made of, each with the SHA-256 of its text
    texts  belong to it, and are no files
    """
    noted = len(mistakes.texts)
    sources = [*read_sources(paths, mistakes), *texts]
    imports, program = Imports.of(sources, texts), None
    if sources and len(mistakes.texts) == noted:
        program = compile_sources(sources, mistakes, imports)
    if read is not None:
        read |= {s.name: digest_of(s.text) for s in (*sources, *imports.known.values())}
    return program


def shipped_policy(name: str) -> Path | None:
    """Return where the policy file *name* that comes with Headrace is, if it is there.

    Of an installation in its data folder, of a checkout in `policies/`.
    """
    checkout = Path(__file__).resolve().parents[4] / "policies" / name
    installed = Path(sysconfig.get_path("data")) / "share" / "headrace" / "policies" / name
    return next((path for path in (checkout, installed) if path.is_file()), None)


def load_policy(paths: Sequence[str], self_test: SelfTest, texts: Sequence[Source] = ()) -> Loaded:
    """Read and compile the policy at *paths*, and let it pass its own tests.

    texts  belong to it, and are no files
    """
    mistakes, read = Mistakes(), dict[str, str]()
    program = load_program(paths, mistakes, read, texts)
    if program is not None:
        mistakes.texts += self_test(program)
    found = tuple(mistakes.found)
    return Loaded(None if mistakes.texts else program, tuple(mistakes.texts), read, found)


def no_self_test(program: Program) -> list[str]:
    """Find nothing wrong with *program*."""
    return []


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
