"""`headrace check`: everything that is wrong with a policy, for people and for machines."""

from enum import Enum
from typing import Annotated

import msgspec
import typer

from headrace.dsl.diagnostic import Diagnostic, as_json, render
from headrace.dsl.policy import check_policy
from headrace.host.cli.flags import Mistakes, flag
from headrace.host.cli.policies import Policies, installed_stages, read_sources

FINDINGS = 1


class Format(Enum):
    """How findings are printed."""

    HUMAN = "human"
    JSON = "json"


def check(
    policies: Policies,
    format: Annotated[Format, flag("--format", "For people, or one JSON object.")] = Format.HUMAN,
) -> None:
    """Check a policy: names, types, units, shares, unreachable rules.

    All files together make one policy. Exits 0 if it is clean, 1 with findings (warnings
    count), 2 if the command line is wrong or a file cannot be read.

        headrace check policies/quickstart.sched
    """
    mistakes = Mistakes()
    sources = read_sources(policies, mistakes)
    mistakes.stop()
    findings = check_policy(sources, installed_stages())
    names = ", ".join(source.name for source in sources)
    typer.echo(_json(findings) if format is Format.JSON else _human(findings, names))
    if findings:
        raise typer.Exit(FINDINGS)


def _json(findings: tuple[Diagnostic, ...]) -> str:
    report = {"clean": not findings, "findings": [as_json(d) for d in findings]}
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def _human(findings: tuple[Diagnostic, ...], names: str) -> str:
    if not findings:
        return f"{names}: clean"
    shown = [render(d).rstrip("\n") for d in findings]
    count = f"{len(findings)} finding{'s' if len(findings) > 1 else ''} in {names}"
    return "\n".join([*shown, count])
