"""`headrace fmt`: policies in the one way they are written."""

import difflib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from headrace.dsl.format import format_source
from headrace.dsl.problems.diagnostic import render
from headrace.dsl.source import Source
from headrace.host.cli.colours import paint_for
from headrace.host.cli.flags import Mistakes, flag, reason
from headrace.host.cli.policies import counted, read_sources
from headrace.host.serve.files import STDIN, SUFFIX

FINDINGS = 1
STDIN_NAME = "<stdin>"

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE",
        help="`.sched` files, and directories with all of them below; `-` is stdin.",
    ),
]


def fmt(
    files: Files,
    check: Annotated[
        bool, flag("--check", "Change nothing; list the files that are not formatted.")
    ] = False,
    diff: Annotated[
        bool, flag("--diff", "Change nothing; print what would change, as a diff.")
    ] = False,
) -> None:
    """Format policies in place: one way to space, to align and to break lines.

    Comments, groups of lines and the meaning stay. What has a mistake of syntax is not touched.
    Standard input is formatted to standard output. Exits 0 if all is well; 1 if a file has a
    mistake of syntax or, with `--check` or `--diff`, is not formatted; 2 if the command line is
    wrong or a file cannot be read or written.

        headrace fmt --check policies/
    """
    mistakes = Mistakes()
    sources = read_sources(_files(files, mistakes), mistakes)
    mistakes.stop()
    found = [_format(source, mistakes, check=check, diff=diff) for source in sources]
    mistakes.stop()
    if not all(found):
        raise typer.Exit(FINDINGS)


def _files(paths: Sequence[str], mistakes: Mistakes) -> list[str]:
    """Return the files that *paths* mean; of a directory those in it and below."""
    found: list[str] = []
    for path in paths:
        if path == STDIN or not Path(path).is_dir():
            found.append(path)
            continue
        found += counted(path, list(_below(path)), mistakes)
    return found


def _below(path: str) -> Iterator[str]:
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(SUFFIX) and not name.startswith("."):
                yield str(Path(folder) / name)


def _format(source: Source, mistakes: Mistakes, *, check: bool, diff: bool) -> bool:
    """Format *source*, or say what would change; return whether all is well with it."""
    made = format_source(source)
    if not isinstance(made, str):
        paint = paint_for(sys.stderr, os.environ)
        for diagnostic in made:
            typer.echo(render(diagnostic, paint) + "\n", err=True)
        typer.echo(f"`{source.name}` is not formatted: cure its syntax first", err=True)
        return False
    changed = made != source.text
    if diff and changed:
        typer.echo(_diff(source, made), nl=False)
    if check and changed:
        typer.echo(source.name)
    if check or diff:
        return not changed
    if changed and "\r\n" in source.text:
        typer.echo(f"note: `{source.name}`: its lines end with LF now, not CR LF", err=True)
    if source.name == STDIN_NAME:
        typer.echo(made, nl=False)
    elif changed:
        _write(source.name, made, mistakes)
    return True


def _diff(source: Source, made: str) -> str:
    before, after = source.text.splitlines(keepends=True), made.splitlines(keepends=True)
    lines = difflib.unified_diff(before, after, source.name, f"{source.name} (formatted)")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _write(name: str, text: str, mistakes: Mistakes) -> None:
    """Replace the file at once, so that no reader sees half of it; its mode stays."""
    path = Path(name).resolve()  # of a link: the file it leads to
    made = ""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            made = file.name
            file.write(text.encode())
        shutil.copymode(path, made)
        os.replace(made, path)
    except OSError as error:
        mistakes.add(f"cannot write `{name}`: {reason(error)}")
        if made:
            Path(made).unlink(missing_ok=True)
