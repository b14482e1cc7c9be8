"""`headrace check`: everything that is wrong with a policy, for people and for machines."""

import datetime
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from headrace.dsl.policy import check_policy
from headrace.dsl.problems.codes import CODES, Level
from headrace.dsl.problems.diagnostic import SHOWN_MAX, Diagnostic
from headrace.dsl.source import Source
from headrace.extensions.registry import declared
from headrace.host.cli.against import not_exported, pages
from headrace.host.cli.colours import paint_for
from headrace.host.cli.fix_files import fix_files
from headrace.host.cli.flags import Mistakes, flag
from headrace.host.cli.imports import Imports
from headrace.host.cli.policies import Policies, installed_stages, opened, read_sources
from headrace.host.cli.report import Format, Report, told
from headrace.host.serve.files import STDIN

FINDINGS = 1
ALL = "warnings"


def check(
    policies: Policies,
    format: Annotated[
        Format, flag("--format", "For people, as lines of ASCII, or for machines.")
    ] = Format.HUMAN,
    deny: Annotated[
        list[str] | None,
        flag(
            "--deny",
            "Take warnings for errors: `warnings`, or one code. May be repeated.",
            metavar="CODE",
        ),
    ] = None,
    max_errors: Annotated[
        int, flag("--max-errors", "Print at most so many findings, and a count.")
    ] = SHOWN_MAX,
    fix: Annotated[
        bool, flag("--fix", "Apply the safe fixes to the files first, and say what changed.")
    ] = False,
    against: Annotated[
        list[str] | None,
        flag(
            "--against",
            "Ask a live server's metrics page, and warn of metrics it lacks.",
            metavar="URL",
        ),
    ] = None,
    each: Annotated[bool, flag("--each", "Check every file as a policy of its own.")] = False,
) -> None:
    """Check a policy: names, types, units, shares, unreachable rules.

    All files together make one policy. Exits 0 without an error (warnings are none unless
    denied), 1 with one, 2 if the command line is wrong or a file cannot be read.

        headrace check policies/quickstart.sched
    """
    mistakes = Mistakes()
    mistakes.bounded("--max-errors", max_errors, 1, SHOWN_MAX)
    for code in deny or ():
        mistakes.one_of("--deny", code, (ALL, *(c.id for c in CODES if c.level is not Level.ERROR)))
    if fix and STDIN in policies:
        mistakes.add("--fix: standard input cannot be changed: name a file")
    mistakes.stop()
    live = pages(against or (), mistakes)
    mistakes.stop()
    found = _check(policies, mistakes, live, each=each, fix=fix)
    mistakes.stop()
    report = found.denying(deny or ()).at_most(max_errors)
    text = told(report, format, paint_for(sys.stdout, os.environ))
    if text:
        typer.echo(text)
    if report.count(Level.ERROR):
        raise typer.Exit(FINDINGS)


def _check(
    paths: Sequence[str], mistakes: Mistakes, live: Sequence[bytes], *, each: bool, fix: bool
) -> Report:
    """Return what is found in the one policy at *paths*, or in each of theirs."""
    findings: list[Diagnostic] = []
    names: list[str] = []
    for policy in _each(paths) if each else [paths]:
        sources = read_sources(policy, mistakes)
        if mistakes.texts:
            continue
        if fix:
            sources = fix_files(sources, checker(), mistakes)
        found = checker()(sources)
        findings += (*found, *not_exported(sources, found, live))
        names += [source.name for source in sources]
    return Report(tuple(findings), tuple(names))


def _each(paths: Sequence[str]) -> list[list[str]]:
    found: list[list[str]] = []
    for path in dict.fromkeys(paths):
        wrong = Mistakes()
        files = opened(path, wrong)
        found += [[path]] if wrong.texts else [[file] for file in files]  # reading it says why
    return found


def checker() -> Callable[[Sequence[Source]], tuple[Diagnostic, ...]]:
    """Return what finds everything in one policy, by what is installed and by today's date."""
    stages = installed_stages()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return lambda sources: check_policy(
        sources, stages, today, loader=Imports.of(sources).load, declares=declared
    )
