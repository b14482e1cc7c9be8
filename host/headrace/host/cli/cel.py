"""`headrace cel`: a named expression of a policy in plain CEL, for use elsewhere."""

from typing import Annotated

import typer

from headrace.dsl.asking import named
from headrace.dsl.cel import pure_cel
from headrace.dsl.problems.diagnostic import PolicyError, render
from headrace.host.cli.flags import Mistakes, fail
from headrace.host.cli.imports import Imports
from headrace.host.cli.policies import read_sources

FINDINGS = 1


def cel(
    expression: Annotated[
        str, typer.Argument(metavar="FILE:NAME", help="A policy, and the name of an expression.")
    ],
) -> None:
    """Print the filter, scorer, cost or let NAME of FILE in plain CEL.

    Percents, durations and sizes are written out and `let`s put in, so that Kubernetes,
    Envoy or any other CEL can take it. Exits 1 if the policy has errors or no such name.

        headrace cel policies/quickstart.sched:has_room
    """
    path, colon, name = expression.rpartition(":")
    if not (path and colon and name):
        fail(f"`{expression}` is not FILE:NAME: write e.g. `my.sched:has_room`")
    mistakes = Mistakes()
    sources = read_sources([path], mistakes)
    mistakes.stop()
    try:
        found = named(name, sources, Imports.of(sources).load)
    except PolicyError as error:
        for diagnostic in error.diagnostics:
            typer.echo(render(diagnostic).rstrip("\n"), err=True)
        raise typer.Exit(FINDINGS) from error
    if found is None:
        fail(f"`{path}` has no filter, scorer, cost or let `{name}`", FINDINGS)
    typer.echo(pure_cel(*found))
