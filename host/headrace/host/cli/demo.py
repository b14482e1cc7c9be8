"""`headrace demo`: all of it, on this machine, in about a minute."""

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from headrace.host.cli.flags import Mistakes, fail, flag

REQUESTS_DEFAULT = 700
REQUESTS_MAX = 100_000
SHIPPED = "quickstart.sched"
UNEXPECTED = 1
INTERRUPTED = 130

NEXT = """What to try next:
  {policy}
      the policy that decided all this: change a weight, then `headrace check` it
  headrace envoy-config {policy} > envoy.yaml
      the Envoy it needs
  headrace serve {policy}
      decide for that Envoy
"""


def demo(
    requests: Annotated[
        int, flag("--requests", "How many requests to send in all.", metavar="N")
    ] = REQUESTS_DEFAULT,
    json: Annotated[bool, flag("--json", "Print only the summary, as JSON.")] = False,
    seed: Annotated[int, flag("--seed", "Of the load: equal seeds send equal requests.")] = 0,
) -> None:
    """Run Envoy, six simulated model servers and the quickstart policy under load.

    Three phases: the prefix caches fill, the policy keeps callers on warm replicas, and
    then too much comes in, so that batch work is shed and chat is not. Nothing is left
    running, also after Ctrl-C. Exits 0 only if nothing unexpected happened.
    """
    mistakes = Mistakes()
    mistakes.bounded("--requests", requests, 1, REQUESTS_MAX)
    mistakes.bounded("--seed", seed, 0, 2**63 - 1)
    mistakes.stop()
    policy = _policy()
    try:
        raise typer.Exit(_play(policy, requests, seed, json=json))
    except (KeyboardInterrupt, asyncio.CancelledError):
        typer.echo("stopped; nothing is left running", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _policy() -> Path:
    from headrace.host.cli.policies import shipped_policy

    policy = shipped_policy(SHIPPED)
    if policy is None:
        fail(f"cannot find `{SHIPPED}`: reinstall headrace", UNEXPECTED)
    return policy


def _play(policy: Path, requests: int, seed: int, *, json: bool) -> int:
    """Run the demo and print its end; return the exit code."""
    from rich.console import Console

    from headrace.dsl.problems.diagnostic import PolicyError
    from headrace.dsl.source import Source
    from headrace.host.demo.ports import NoFreePort
    from headrace.host.demo.processes import ChildDied
    from headrace.host.demo.run import DemoOptions, play
    from headrace.host.demo.stack import NotReady
    from headrace.host.demo.view import LiveTable, Plain, Silent, conclusion
    from headrace.host.envoy.binary import EnvoyMissing

    console = Console()
    view = Silent() if json else LiveTable(console) if console.is_terminal else Plain(console)
    source = Source(str(policy), policy.read_text())
    try:
        end = asyncio.run(play(DemoOptions(source, requests, seed), view))
    except (PolicyError, ChildDied, EnvoyMissing, NotReady, NoFreePort) as error:
        fail(str(error), UNEXPECTED)
    if json:
        typer.echo(msgspec.json.format(msgspec.json.encode(end.tally.summary()), indent=2))
    else:
        typer.echo(f"\n{conclusion(end.tally)}")
        for note in end.tally.notes:
            typer.echo(f"unexpected: {note}", err=True)
        if end.explained:
            typer.echo(f"\nOne decision, explained by the host:\n\n{end.explained}")
        typer.echo(NEXT.format(policy=policy))
    return UNEXPECTED if end.tally.errors else 0
