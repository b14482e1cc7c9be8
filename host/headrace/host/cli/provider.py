"""`headrace provider`: a local server that answers as a provider of guards does."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.host.cli.ending import asked_to_end
from headrace.host.cli.flags import Mistakes, fail, flag, reason

if TYPE_CHECKING:
    from headrace.host.envoy.address import Address
    from headrace.host.standins.faults import Script

CANNOT_LISTEN = 1  # the exit code for what the machine forbids, not the command line
MODEL_ARMOR = "model_armor"
TEMPLATE = "projects/demo/locations/local/templates/default"
NO_FAULT = "none"
VALUE_MAX = 1e9
# Written out, so that `--help` is there without the stand-ins; a test compares.
PROVIDERS = (
    "model_armor, nemo, llama_guard, presidio, lakera, openai_moderation, guardrails_ai, http"
)
FAULTS = "delay, hang, reset, html, half, cut, error, huge, drip, wrong, status"


def provider(
    name: Annotated[
        str,
        typer.Argument(
            help=f"Whom it stands in for, as in `ask`: {PROVIDERS}.", metavar="PROVIDER"
        ),
    ],
    listen: Annotated[
        str, flag("--listen", "Where it listens; port 0 takes a free one.", metavar="IP:PORT")
    ] = "127.0.0.1:8010",
    grpc_listen: Annotated[
        str, flag("--grpc-listen", "Model Armor by gRPC too, there.", metavar="IP:PORT")
    ] = "",
    template: Annotated[
        str,
        flag("--template", "Model Armor's templates, all filters on; by commas.", metavar="A,B"),
    ] = TEMPLATE,
    token: Annotated[
        str, flag("--token", "Who has not this bearer token is refused.", metavar="TOKEN")
    ] = "",
    fault: Annotated[
        str, flag("--fault", f"What goes wrong with every call: none, {FAULTS}.", metavar="KIND")
    ] = NO_FAULT,
    fault_value: Annotated[
        float, flag("--fault-value", "Its seconds, bytes or status.", metavar="N")
    ] = 0.0,
) -> None:
    """Stand in for a provider of guards: patterns where it has models, and faults on demand.

    headrace provider model_armor --listen 127.0.0.1:8010
    """
    from headrace.host.clients.armor_wire import installed
    from headrace.host.standins.faults import KINDS, Fault, Script
    from headrace.host.standins.others import ENDPOINTS

    mistakes = Mistakes()
    mistakes.one_of("PROVIDER", name, (MODEL_ARMOR, *ENDPOINTS))
    mistakes.one_of("--fault", fault, (NO_FAULT, *KINDS))
    mistakes.bounded("--fault-value", fault_value, 0.0, VALUE_MAX)
    address = mistakes.address("--listen", listen, free_port=True)
    grpc = mistakes.address("--grpc-listen", grpc_listen, free_port=True) if grpc_listen else None
    if grpc_listen and name != MODEL_ARMOR:
        mistakes.add(f"--grpc-listen: only `{MODEL_ARMOR}` speaks gRPC")
    if grpc_listen and not installed():
        mistakes.add("--grpc-listen: install `headrace[model-armor]`")
    templates = tuple(text for part in template.split(",") if (text := part.strip()))
    _check_templates(mistakes, templates)
    mistakes.stop()
    script = Script(None if fault == NO_FAULT else Fault(fault, fault_value))
    made = _Made(name, address, grpc, templates, token, script)
    try:
        asyncio.run(made.serve())
    except OSError as error:
        fail(f"--listen: cannot listen on `{address}`: {reason(error)}", CANNOT_LISTEN)


def _check_templates(mistakes: Mistakes, templates: tuple[str, ...]) -> None:
    from headrace.host.standins.armor import NAME

    for name in templates:
        if not NAME.fullmatch(name):
            mistakes.add(f"--template: `{name}` is no template, write `{TEMPLATE}`")


class _Made:
    """A stand-in as the command line asks for it."""

    def __init__(
        self,
        name: str,
        listen: "Address",
        grpc: "Address | None",
        templates: tuple[str, ...],
        token: str,
        script: "Script",
    ) -> None:
        self._name, self._listen, self._grpc = name, listen, grpc
        self._templates, self._token, self._script = templates, token, script

    async def serve(self) -> None:
        """Serve until a signal asks to end."""
        with asked_to_end() as asked:
            async with self._open() as said:
                typer.echo(said)
                await asked.wait()

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[str]:
        """Listen while the context is open, and say where."""
        from headrace.host.standins.armor import Armor
        from headrace.host.standins.armor_rest import endpoints as armor_endpoints
        from headrace.host.standins.others import endpoints
        from headrace.host.standins.server import StandIn

        armor = Armor(frozenset({self._token} if self._token else ()))
        for template in self._templates:
            armor.put(template)
        answers = armor_endpoints(armor) if self._name == MODEL_ARMOR else endpoints(self._name)
        async with AsyncExitStack() as exits:
            listen, said = self._listen, f"ready provider={self._name}"
            server = StandIn(answers, listen.host, listen.port, self._script)
            await exits.enter_async_context(server)
            said += f" listen={server.url.removeprefix('http://')}"
            if self._grpc is not None:
                from headrace.host.standins.armor_grpc import ArmorGrpc

                grpc = ArmorGrpc(armor, self._grpc.host, self._grpc.port, self._script)
                await exits.enter_async_context(grpc)
                said += f" grpc={grpc.url.removeprefix('http://')}"
            yield said
