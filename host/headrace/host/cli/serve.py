"""`headrace serve`: decide for an Envoy, by a policy, until told to end."""

import asyncio
import datetime
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from headrace.host.cli import serve_flags as f
from headrace.host.cli.ending import asked_to_end
from headrace.host.cli.flags import Mistakes, fail
from headrace.host.cli.policies import Policies, load_program
from headrace.host.cli.size import SizeError, parse_size

if TYPE_CHECKING:
    from headrace.host.extproc.tls import Tls
    from headrace.host.serve.options import Listening, ServeOptions
    from headrace.host.serve.process import Host

BODY_BYTES_MIN, BODY_BYTES_MAX = 1 << 10, 1 << 30
CANNOT_LISTEN = 1  # the exit code for what the machine forbids, not the command line


def serve(
    policies: Policies,
    listen: f.Listen = "127.0.0.1:9002",
    metrics_listen: f.MetricsListen = "127.0.0.1:9090",
    tls_cert: f.TlsCert = None,
    tls_key: f.TlsKey = None,
    tls_client_ca: f.TlsClientCa = None,
    tls_self_signed: f.TlsSelfSigned = False,
    otlp: f.Otlp = "",
    trace_sample: f.TraceSample = 1.0,
    log_level: f.Logged = f.LogLevel.INFO,
    body_limit: f.BodyLimit = "32MiB",
    drain_grace: f.DrainGrace = 30.0,
    request_body_mode: f.RequestBodyMode = f.Mode.FULL_DUPLEX_STREAMED,
    response_body_mode: f.ResponseBodyMode = f.Mode.STREAMED,
    message_timeout: f.MessageTimeout = 0.2,
    max_message_timeout: f.MaxMessageTimeout = 0.0,
    seed: f.Seed = 0,
) -> None:
    """Decide for an Envoy by a policy: which endpoint, who is shed, what is blocked.

    Everything wrong with flags and policy is told at once, with exit code 2, before
    anything listens. Port 0 takes a free port; the line `ready ...` names the real ones.
    SIGTERM lets open exchanges finish for the grace, then exits 0.

        headrace serve policies/quickstart.sched
    """
    from headrace.host.exchange.limits import Limits
    from headrace.host.exchange.part import BodyMode, Modes
    from headrace.host.serve.options import ServeOptions

    mistakes = Mistakes()
    mistakes.bounded("--trace-sample", trace_sample, 0, 1)
    mistakes.bounded("--drain-grace", drain_grace, 0, 3600)
    mistakes.bounded("--message-timeout", message_timeout, 0.001, 3600)
    mistakes.bounded("--max-message-timeout", max_message_timeout, 0, 3600)
    mistakes.bounded("--seed", seed, 0, 2**63 - 1)
    address = mistakes.address("--listen", listen, free_port=True)
    limits = Limits(
        body_bytes_max=_body_bytes(body_limit, mistakes),
        message_timeout_s=message_timeout,
        message_timeout_max_s=max_message_timeout,
    )
    options = ServeOptions(
        listen=address,
        metrics_listen=mistakes.address("--metrics-listen", metrics_listen, free_port=True),
        tls=_self_signed(tls_cert, tls_key, address.host, mistakes)
        if tls_self_signed
        else _from_files(tls_cert, tls_key, tls_client_ca, mistakes),
        otlp=_url("--otlp", otlp, mistakes),
        trace_sample_ratio=trace_sample,
        log_level=log_level.value,
        drain_grace_s=drain_grace,
        limits=limits,
        modes=Modes(BodyMode[request_body_mode.name], BodyMode[response_body_mode.name]),
        seed=seed,
    )
    _run(_host(policies, options, mistakes), options)


def _host(policies: list[str], options: "ServeOptions", mistakes: Mistakes) -> "Host":
    """Return the host for the policy; exit 2 with every mistake so far if there is any."""
    from headrace.host.serve.process import Host, Unservable

    program = load_program(policies, mistakes)
    host = None
    if program is not None:
        try:
            host = Host(program, options)
        except Unservable as error:
            mistakes.add(str(error))
    mistakes.stop()
    assert host is not None, "without a host there is a mistake"
    return host


def _run(host: "Host", options: "ServeOptions") -> None:
    from headrace.host.serve.process import CannotListen

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_until_asked(host, options))
    except CannotListen as error:
        fail(str(error), CANNOT_LISTEN)


async def _until_asked(host: "Host", options: "ServeOptions") -> None:
    """Serve until SIGTERM or SIGINT, then let open exchanges finish."""
    with asked_to_end() as asked:
        listening = await host.start()
        try:
            typer.echo(_ready(listening, host.digest))
            await asked.wait()
            typer.echo(f"draining for up to {options.drain_grace_s:g} s")
        finally:
            await host.drain()
    typer.echo("stopped")


def _ready(listening: "Listening", digest: str) -> str:
    return f"ready listen={listening.listen} metrics={listening.metrics} policy={digest[:12]}"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def _body_bytes(text: str, mistakes: Mistakes) -> int:
    try:
        size = parse_size(text)
    except SizeError as error:
        mistakes.add(f"--body-limit: {error}")
        return BODY_BYTES_MIN
    mistakes.bounded("--body-limit", size, BODY_BYTES_MIN, BODY_BYTES_MAX)
    return size


def _url(name: str, text: str, mistakes: Mistakes) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if text and not usable:
        mistakes.add(f"{name}: `{text}` is not a URL: write e.g. `http://127.0.0.1:4318`")
    return text


def _from_files(
    certificate: Path | None, key: Path | None, client_ca: Path | None, mistakes: Mistakes
) -> "Tls | None":
    from headrace.host.extproc.tls import TlsError, from_files

    if certificate is not None and key is not None:
        try:
            return from_files(certificate, key, client_ca)
        except TlsError as error:
            mistakes.add(f"--tls-cert, --tls-key: {error}")
    elif certificate is not None or key is not None:
        mistakes.add("--tls-cert, --tls-key: give both or neither")
    elif client_ca is not None:
        mistakes.add("--tls-client-ca: give --tls-cert and --tls-key as well")
    return None


def _self_signed(
    certificate: Path | None, key: Path | None, host: str, mistakes: Mistakes
) -> "Tls | None":
    from headrace.host.extproc.tls import self_signed

    if certificate is not None or key is not None:
        mistakes.add("--tls-self-signed: not together with --tls-cert and --tls-key")
        return None
    return self_signed(["localhost", host], datetime.datetime.now(datetime.UTC))
