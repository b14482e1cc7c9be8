"""Write safe fixes into the files that need them."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from headrace.dsl.problems.diagnostic import Diagnostic, Fix
from headrace.dsl.problems.fixing import fixed, safe_fixes
from headrace.dsl.source import Source
from headrace.host.cli.flags import Mistakes, reason

ROUNDS_MAX = 10  # a fix can lay open the next mistake, and need not end


def fix_files(
    sources: Sequence[Source],
    find: Callable[[Sequence[Source]], tuple[Diagnostic, ...]],
    mistakes: Mistakes,
) -> list[Source]:
    """Return *sources* with every safe fix applied, which are then in their files as well.

    What changed is printed on standard error; a file that cannot be written is noted.
    """
    now = list(sources)
    for _ in range(ROUNDS_MAX):
        findings = find(now)
        fixes = {source.name: safe_fixes(findings, source) for source in now}
        if not any(fixes.values()):
            break
        for source in now:
            for fix in fixes[source.name]:
                _tell(fix)
        now = [Source(s.name, fixed(s, fixes[s.name])) for s in now]
    for before, after in zip(sources, now, strict=True):
        if before.text != after.text:
            _write(after, mistakes)
    return now


def _tell(fix: Fix) -> None:
    line, column = fix.span.source.line_column(fix.span.start)
    typer.echo(f"fixed {fix.span.source.name}:{line}:{column}: {fix.title}", err=True)


def _write(source: Source, mistakes: Mistakes) -> None:
    """Replace the file of *source* at once, so that no reader sees half of it."""
    path = Path(source.name).resolve()
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(source.text.encode())
        shutil.copymode(path, file.name)
        os.replace(file.name, path)
    except OSError as error:
        mistakes.add(f"cannot write `{source.name}`: {reason(error)}")
