"""`headrace serve --workers N`: starts that many processes, and ends them."""

import asyncio
import logging
from ipaddress import ip_address
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from headrace.host.cli.ending import asked_to_end, on_hangup
from headrace.host.cli.flags import Mistakes, fail
from headrace.host.cli.serve_flags import ServeFlags
from headrace.host.serve.files import STDIN

if TYPE_CHECKING:
    from headrace.host.serve.options import ServeOptions
    from headrace.host.workers.keeper import Keeper, Keeping

WORKERS_MAX = 64
PORT_MAX = 65_535
KEY_BYTES = 32


def check_workers(given: ServeFlags, mistakes: Mistakes) -> None:
    """Note what is wrong with `--workers`, or does not go with it."""
    mistakes.bounded("--workers", given.workers, 1, WORKERS_MAX)
    if given.workers > 1 and given.role:
        mistakes.add("--workers: not with --role, whose ports are not the workers' to share out: ")
        mistakes.texts[-1] += "run one `serve` per process, and `--state` between them"
    if given.workers > 1 and STDIN in given.paths:
        mistakes.add("--workers: each worker reads the policy, and a pipe can be read once: ")
        mistakes.texts[-1] += "give a file instead of `-`"


def addresses(listen: str, workers: int, mistakes: Mistakes) -> list[str]:
    """Return where each of *workers* listens: at *listen* and the ports after it.

    Of port 0 each takes a free one; a Unix socket gets the worker's number behind its name.
    """
    from headrace.host.envoy.address import Address, AddressError, parse_address
    from headrace.host.extproc.listen import UNIX

    if listen.startswith(UNIX):
        return [f"{listen}.{index}" for index in range(1, workers + 1)]
    try:
        first = parse_address(listen, free_port=True)
    except AddressError:
        return [listen] * workers  # it is told of elsewhere
    if first.port == 0:
        return [listen] * workers
    last = first.port + workers - 1
    if last > PORT_MAX:
        mistakes.add(f"--listen: {workers} workers need the ports up to {last}, and 65535 is last")
        return [listen] * workers
    return [str(Address(first.host, first.port + at)) for at in range(workers)]


def supervise(given: ServeFlags, options: "ServeOptions", listen: list[str]) -> None:
    """Run the workers until SIGTERM or SIGINT; exit as one that cannot start does."""
    from headrace.host.envoy.address import Address
    from headrace.host.telemetry.admin import Admin
    from headrace.host.telemetry.readers import EVERYBODY
    from headrace.host.workers.keeper import Keeping

    metrics = options.metrics_listen
    assert isinstance(metrics, Address), "a command line has no other"
    keeping = Keeping(
        listen,
        metrics,
        as_plain(given),
        options.session_key.hex() or token_hex(KEY_BYTES),
        options.drain_grace_s,
        Admin(ip_address(metrics.host).is_loopback, options.admin_token),
        options.readers or EVERYBODY,
    )
    logging.basicConfig(level=options.log_level.upper(), format="%(levelname)s %(message)s")
    asyncio.run(_until_asked(keeping))


def as_plain(given: ServeFlags) -> dict[str, object]:
    """Return *given* as JSON has it, for `given_of`."""
    plain: dict[str, object] = msgspec.to_builtins(given, enc_hook=str)
    return plain


async def _until_asked(keeping: "Keeping") -> None:
    from headrace.host.workers.keeper import CannotStart, Keeper

    try:
        keeper = Keeper(keeping)
    except CannotStart as error:
        fail(str(error), error.code)
    with asked_to_end() as asked, on_hangup(keeper.reload):
        try:
            metrics = await keeper.start()
            if await _ready(keeper, asked, str(metrics)):
                await asked.wait()
            typer.echo(f"draining for up to {keeping.drain_grace_s:g} s")
        except CannotStart as error:
            await keeper.end()
            if str(error):
                fail(str(error), error.code)
            raise typer.Exit(error.code) from error
        except BaseException:
            await keeper.end()
            raise
        await keeper.end()
    typer.echo("stopped")


async def _ready(keeper: "Keeper", asked: asyncio.Event, metrics: str) -> bool:
    """Wait until all are ready and say so; return False if it was *asked* to end before."""
    began, ended = asyncio.ensure_future(keeper.ready()), asyncio.ensure_future(asked.wait())
    waits: list[asyncio.Future[Any]] = [began, ended]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not began.done():
            return False
        policy = began.result()
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    listen = ",".join(worker.order.listen for worker in keeper.workers)
    typer.echo(f"ready listen={listen} metrics={metrics} policy={policy}")
    return True
