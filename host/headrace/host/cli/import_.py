"""`headrace import`: the reference's configuration as a policy, and what is not in it."""

import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from headrace.dsl.policy import check_policy
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import Diagnostic, as_json, render
from headrace.dsl.source import Source
from headrace.dsl.unperformed import STATEMENTS
from headrace.dsl.vocabulary import METRIC_DIALECTS, variables
from headrace.host.cli.flags import Mistakes, fail, flag, reason
from headrace.host.cli.policies import STDIN, installed_stages
from headrace.host.importer.config import read_config
from headrace.host.importer.document import ImportFault
from headrace.host.importer.findings import Finding, Grade
from headrace.host.importer.translate import Abilities, translate
from headrace.host.importer.write import Served, write

USUAL = Served()
NOT_EXPRESSED = 1
_GRADES = {Grade.NEAR: "not the same", Grade.LEFT: "not expressed"}
BYTES_MAX = 256 << 10  # a hundred times the largest configuration of the reference's documentation


class Format(Enum):
    """What is printed: the policy, or one JSON object with it and what became of each part."""

    HUMAN = "human"
    JSON = "json"


def import_(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            help="An EndpointPickerConfig, or a ConfigMap or Helm values with one; `-` is stdin.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the policy there, if it is new.")
    ] = None,
    pool: Annotated[str, flag("--pool", "The name of the pool.")] = USUAL.pool,
    endpoint: Annotated[
        list[str] | None,
        flag("--endpoint", "An endpoint of the pool; give it several times.", metavar="IP:PORT"),
    ] = None,
    model: Annotated[
        list[str] | None,
        flag(
            "--model",
            "A model that callers ask for; give it several times. Default: all.",
            metavar="NAME",
        ),
    ] = None,
    format: Annotated[
        Format, flag("--format", "The policy for people, or a JSON report with it.")
    ] = Format.HUMAN,
) -> None:
    """Turn the configuration of the reference endpoint picker into a policy.

    What becomes of each plugin is said in comments, what is not expressed also on stderr.
    Exits 0 if all is expressed, 1 if something is not, 2 if the input cannot be read.

        headrace import epp-config.yaml -o my.sched
    """
    mistakes = Mistakes()
    text = _read(config, mistakes)
    for given in endpoint or ():
        mistakes.address("--endpoint", given)
    if output is not None and output.exists():
        mistakes.add(f"-o: `{output}` exists: choose a new name, or remove it")
    mistakes.stop()
    name = "<stdin>" if config == STDIN else config
    served = Served(pool, tuple(endpoint or USUAL.endpoints), tuple(model or USUAL.models))
    findings, policy = _imported(text, name, served)
    checked = check_policy([Source(str(output or "imported.sched"), policy)], installed_stages())
    _tell(findings, checked, name)
    if output is not None:
        _save(output, policy)
    if format is Format.JSON:
        typer.echo(_json(policy, findings, checked))
    elif output is None:
        typer.echo(policy, nl=False)
    if checked or not all(finding.expressed for finding in findings):
        raise typer.Exit(NOT_EXPRESSED)


def _imported(text: str, name: str, served: Served) -> tuple[Sequence[Finding], str]:
    """Return what became of the parts of the configuration *text*, and the policy."""
    try:
        done = translate(read_config(text), _abilities())
    except ImportFault as fault:
        fail(f"{name}:{fault.line}: {fault.message}" if fault.line else f"{name}: {fault.message}")
    return done.findings, write(done.draft, done.findings, name, served)


def _tell(findings: Sequence[Finding], checked: Sequence[Diagnostic], name: str) -> None:
    """Print what is not expressed, and what `check` would say; exit 2 if it is no policy."""
    for finding in findings:
        if not finding.expressed:
            line = f"{name}:{finding.line}: {finding.where}: {finding.sentence()}"
            typer.echo(f"{_GRADES[finding.grade]}: {line}", err=True)
    for diagnostic in checked:
        typer.echo(render(diagnostic).rstrip("\n"), err=True)
    if any(diagnostic.level is Level.ERROR for diagnostic in checked):
        fail("this is no policy with these names: see above")


def _abilities() -> Abilities:
    queues = "overload.queue" not in STATEMENTS
    performed = frozenset(variables())
    return Abilities(performed, frozenset(METRIC_DIALECTS), queues)


def _read(path: str, mistakes: Mistakes) -> str:
    try:
        if path == STDIN:
            raw = sys.stdin.buffer.read(BYTES_MAX + 1)
        else:
            with Path(path).open("rb") as file:
                raw = file.read(BYTES_MAX + 1)
        if len(raw) <= BYTES_MAX:
            return raw.decode()
        mistakes.add(f"`{path}` is larger than {BYTES_MAX >> 10} KiB, so it is no configuration")
    except OSError as error:
        mistakes.add(f"cannot read `{path}`: {reason(error)}")
    except ValueError:  # not UTF-8, or a NUL in the path
        mistakes.add(f"`{path}` is not UTF-8: save it as UTF-8")
    return ""


def _save(path: Path, policy: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(policy)
    except OSError as error:
        fail(f"cannot write `{path}`: {reason(error)}")


def _json(policy: str, findings: Sequence[Finding], checked: Sequence[Diagnostic]) -> str:
    parts = [
        {
            "grade": finding.grade.value,
            "part": finding.where,
            "line": finding.line,
            "what": finding.what,
            "cure": finding.cure,
        }
        for finding in findings
    ]
    expressed = all(finding.expressed for finding in findings)
    report = {
        "expressed": expressed,
        "parts": parts,
        "findings": [as_json(diagnostic) for diagnostic in checked],
        "policy": policy,
    }
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
