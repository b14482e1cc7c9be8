"""`headrace envoy-config`: the Envoy bootstrap that a policy needs."""

from pathlib import Path
from typing import Annotated

import typer

from headrace.dsl.program import Program
from headrace.extensions.registry import UnknownStage
from headrace.host.cli.flags import Mistakes, flag
from headrace.host.cli.policies import Policies, load_program
from headrace.host.cli.workers import PORT_MAX, WORKERS_MAX
from headrace.host.envoy.address import Address
from headrace.host.envoy.bootstrap import as_yaml, bootstrap
from headrace.host.envoy.clusters import BootstrapError
from headrace.host.envoy.needs import chain_needs
from headrace.host.envoy.options import EnvoyOptions, Tree

IDLE_S_MAX = 86_400
IdleTimeout = Annotated[
    int,
    flag(
        "--idle-timeout",
        "Seconds a silent stream may live, beside the waits of the policy.",
        metavar="S",
    ),
]
Processor = Annotated[
    str,
    flag(
        "--processor",
        "Where `headrace serve` listens; several processes: separated by commas.",
        metavar="IP:PORT,...",
    ),
]


def envoy_config(
    policies: Policies,
    listen: Annotated[
        str, flag("--listen", "Where clients reach Envoy.", metavar="IP:PORT")
    ] = "127.0.0.1:8080",
    processor: Processor = "127.0.0.1:9002",
    workers: Annotated[
        int,
        flag("--workers", "As of `serve`: so many ports from that of --processor on.", metavar="N"),
    ] = 1,
    admin: Annotated[
        str, flag("--admin", "Envoy's own admin page; none without it.", metavar="IP:PORT")
    ] = "",
    chain: Annotated[str, flag("--chain", "The chain of the policy to run.")] = "default",
    processor_tls: Annotated[
        bool, flag("--processor-tls", "Speak TLS to the processor, whoever it is.")
    ] = False,
    processor_ca: Annotated[
        Path | None,
        flag("--processor-ca", "PEM file the processor's certificate must chain to. Implies TLS."),
    ] = None,
    access_log: Annotated[
        bool, flag("--access-log", "Let Envoy write an access log to stderr.")
    ] = False,
    idle_timeout: IdleTimeout = 600,
) -> None:
    """Print a whole Envoy bootstrap for a policy, ready to run.

    It asks Envoy for what the policy's stages need and no more: body modes, metadata,
    attributes, one cluster per pool with the picked endpoint first.

        headrace envoy-config policies/quickstart.sched > envoy.yaml
        envoy -c envoy.yaml
    """
    mistakes = Mistakes()
    mistakes.bounded("--idle-timeout", idle_timeout, 1, IDLE_S_MAX)
    mistakes.file("--processor-ca", processor_ca)
    options = EnvoyOptions(
        listen=mistakes.address("--listen", listen),
        processors=_processors(processor, workers, mistakes),
        admin=mistakes.address("--admin", admin) if admin else None,
        chain=chain,
        processor_tls=processor_tls or processor_ca is not None,
        processor_ca=str(processor_ca.resolve()) if processor_ca else "",
        access_log=access_log,
        idle_timeout_s=idle_timeout,
    )
    program = load_program(policies, mistakes)
    tree = _bootstrap(program, options, mistakes) if program else None
    mistakes.stop()
    assert tree is not None, "without a bootstrap there is a mistake"
    digest = program.digest[:12] if program else ""
    typer.echo(f"# Envoy bootstrap for {' '.join(policies)} (policy {digest}).")
    typer.echo("# Written by `headrace envoy-config`; write it again when the policy changes.")
    typer.echo(as_yaml(tree), nl=False)


def _bootstrap(program: Program, options: EnvoyOptions, mistakes: Mistakes) -> Tree | None:
    try:
        return bootstrap(program, chain_needs(program, options.chain), options)
    except BootstrapError as error:
        for problem in error.problems:
            mistakes.add(problem)
    except UnknownStage as error:
        mistakes.add(str(error))
    return None


def _processors(text: str, workers: int, mistakes: Mistakes) -> tuple[Address, ...]:
    mistakes.bounded("--workers", workers, 1, WORKERS_MAX)
    found: list[Address] = []
    for one in text.split(","):
        first = mistakes.address("--processor", one.strip())
        if first.port + workers - 1 > PORT_MAX:
            mistakes.add(f"--processor: {workers} workers need ports beyond {PORT_MAX}")
            workers = 1
        found += (Address(first.host, first.port + at) for at in range(max(1, workers)))
    return tuple(found)
