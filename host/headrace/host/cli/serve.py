"""`headrace serve`: decide for an Envoy, by a policy, until told to end."""

import asyncio
import datetime
import re
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import typer

from headrace.host.cli import serve_flags as f
from headrace.host.cli.admin_token import read_token
from headrace.host.cli.duration import DurationError, parse_duration
from headrace.host.cli.ending import asked_to_end, on_hangup
from headrace.host.cli.flagged import flagged
from headrace.host.cli.flags import Mistakes, fail
from headrace.host.cli.labels import read_labels
from headrace.host.cli.leader import read_candidacy
from headrace.host.cli.metrics_readers import readers
from headrace.host.cli.policies import load_policy, read_sources
from headrace.host.cli.policies import no_self_test as untested
from headrace.host.cli.roles import read_roles
from headrace.host.cli.serve_flags import ServeFlags
from headrace.host.cli.session_key import read_key
from headrace.host.cli.size import SizeError, parse_size
from headrace.host.cli.state import read_state
from headrace.host.cli.workers import addresses, check_workers, supervise
from headrace.host.serve.files import STDIN
from headrace.host.serve.load import VACANT, Loaded, Reloading

if TYPE_CHECKING:
    from headrace.host.cluster.api import Api
    from headrace.host.envoy.address import Address
    from headrace.host.exchange.limits import Limits
    from headrace.host.exchange.part import Modes
    from headrace.host.extproc.listen import UnixAddress
    from headrace.host.extproc.tls import Tls
    from headrace.host.extproc.transport import Transport
    from headrace.host.serve.options import Listening, Reference, ServeOptions
    from headrace.host.serve.process import Host

BODY_BYTES_MIN, BODY_BYTES_MAX = 1 << 10, 1 << 30
DESTINATIONS_MAX = 3  # of the picker
SOAK_S_MAX = 24 * 3600
RELOAD_S_MIN, RELOAD_S_MAX = 0.05, 3600.0
NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)  # RFC 1123
KUBE = "--kube: "  # how a mistake begins that leaves us without a cluster
CANNOT_LISTEN = 1  # the exit code for what the machine forbids, not the command line


@flagged(ServeFlags)
def serve(given: ServeFlags) -> None:
    """Decide for an Envoy by a policy: which endpoint, who is shed, what is blocked.

    Everything wrong with flags and policy is told at once, with exit code 2. Port 0 takes a free
    port; `ready ...` names it. Changed files become the policy, with SIGHUP now; SIGTERM drains.

        headrace serve policies/quickstart.sched
        headrace serve my.sched --kube --kubeconfig ~/.kube/config --namespace serving
        headrace serve my.sched --workers 4    # ports 9002 to 9005, metrics of all on one page
        headrace serve --kube --policies-from headrace.dev/policy=chat
        headrace serve my.sched --kube --role route --role traffic --role picker@gemma
    """
    serve_with(given)


def serve_with(
    given: ServeFlags, altered: "Callable[[ServeOptions], ServeOptions] | None" = None
) -> None:
    """Serve as `serve` does, by its options as they are *altered*."""
    mistakes = Mistakes()
    check_workers(given, mistakes)
    listen = addresses(given.listen, given.workers, mistakes)
    options = _options(given, mistakes)
    options = altered(options) if altered is not None else options
    host = _host(options, _reloading(given, mistakes), mistakes)
    if given.workers > 1:
        supervise(given, options, listen)  # each worker makes a host of its own
    else:
        _run(host, options)


def _options(given: ServeFlags, mistakes: Mistakes) -> "ServeOptions":
    kube = _kube(given, mistakes)
    return replace(
        _plain(given, mistakes),
        listen=(address := _listen_address(given.listen, mistakes)),
        metrics_listen=mistakes.address("--metrics-listen", given.metrics_listen, free_port=True),
        tls=_tls(given, address, mistakes),
        transport=_transport(given.transport),
        reflection=given.reflection,
        otlp=_url("--otlp", given.otlp, mistakes),
        limits=_limits(given, mistakes),
        modes=_modes(given.request_body_mode, given.response_body_mode),
        admin_token=read_token(given.admin_token_file, mistakes),
        session_key=read_key(given.session_key_file, mistakes),
        lists_served=given.list_models is f.Models.SERVERS,
        reference=_reference(given, mistakes),
        kube=kube,
        candidacy=read_candidacy(given, given.kube, kube, mistakes),
        policies_from=read_labels("--policies-from", given.policies_from, mistakes),
        readers=readers(given, kube, mistakes),
        state=read_state(given.state, mistakes),
        roles=read_roles(given.role, given.listen, mistakes),
    )


def _reference(given: ServeFlags, mistakes: Mistakes) -> "Reference":
    from headrace.host.serve.options import Reference

    plain = given.errors is f.Errors.GIE
    mistakes.bounded("--destinations", given.destinations, 1, DESTINATIONS_MAX)
    scores, most = given.emit_endpoint_scores, given.destinations
    return Reference(given.conformance, scores, plain, most)


def _kube(given: ServeFlags, mistakes: Mistakes) -> "Api | None":
    kubeconfig, namespace = given.kubeconfig, given.namespace
    if not given.kube:
        for name, value in (
            ("--kubeconfig", kubeconfig),
            ("--namespace", namespace),
            ("--policies-from", given.policies_from),
        ):
            if value:
                mistakes.add(f"{name}: it has no effect without --kube: add it")
        return None
    from headrace.host.cluster.api import Access, Api, CannotConnect

    if namespace and not NAMESPACE.fullmatch(namespace):
        mistakes.add(f"--namespace: `{namespace}` is no name of a namespace")
    try:
        return Api(Access(kubeconfig, namespace))
    except CannotConnect as error:
        mistakes.add(f"{KUBE}{error}")
        return None


def _plain(given: ServeFlags, mistakes: Mistakes) -> "ServeOptions":
    """Return options with what is just a number or a name; where to listen is still to be said."""
    from headrace.host.envoy.address import Address
    from headrace.host.serve.options import ServeOptions

    mistakes.bounded("--trace-sample", given.trace_sample, 0, 1)
    mistakes.bounded("--drain-grace", given.drain_grace, 0, 3600)
    mistakes.bounded("--seed", given.seed, 0, 2**63 - 1)
    somewhere = Address("127.0.0.1", 0)
    return ServeOptions(
        somewhere,
        somewhere,
        trace_sample_ratio=given.trace_sample,
        log_level=given.log_level.value,
        drain_grace_s=given.drain_grace,
        seed=given.seed,
        decision_log=given.decision_log,
    )


def _transport(asked: f.Transport) -> "Transport":
    from headrace.host.extproc.transport import Transport

    return Transport(asked.value)


def _modes(request: f.Mode, response: f.Mode) -> "Modes":
    from headrace.host.exchange.part import BodyMode, Modes

    return Modes(BodyMode[request.name], BodyMode[response.name])


def _limits(given: ServeFlags, mistakes: Mistakes) -> "Limits":
    from headrace.host.exchange.limits import Limits

    timeout_s, timeout_max_s = given.message_timeout, given.max_message_timeout
    mistakes.bounded("--message-timeout", timeout_s, 0.001, 3600)
    mistakes.bounded("--max-message-timeout", timeout_max_s, 0, 3600)
    return Limits(
        body_bytes_max=_body_bytes(given.body_limit, mistakes),
        message_timeout_s=timeout_s,
        message_timeout_max_s=timeout_max_s,
    )


def _reloading(given: ServeFlags, mistakes: Mistakes) -> Reloading:
    from headrace.host.policytest.selftest import self_test

    policies, interval_s = given.paths, given.reload_interval
    if not policies and not given.policies_from:
        mistakes.add("there is no policy: name a `.sched` file or a directory of them, or with ")
        mistakes.texts[-1] += "--kube give --policies-from"
    if STDIN in policies and given.policies_from:
        mistakes.add("--policies-from: not beside `-`, which can be read once only: name a file")
    if interval_s and not RELOAD_S_MIN <= interval_s <= RELOAD_S_MAX:
        allowed = f"{RELOAD_S_MIN:g} to {RELOAD_S_MAX:g}, or 0 to look only on SIGHUP"
        mistakes.add(f"--reload-interval: `{interval_s:g}` is out of range: use {allowed}")
    try:
        soak_s = parse_duration(given.soak)
        mistakes.bounded("--soak", soak_s, 0, SOAK_S_MAX)
    except DurationError as error:
        mistakes.add(f"--soak: {error}")
        soak_s = 0.0
    # What came through a pipe is gone.
    paths = () if STDIN in policies else tuple(policies)
    load = partial(load_policy, policies, untested if given.no_self_test else self_test)
    return Reloading(load, paths, interval_s=interval_s, soak_s=soak_s)


def _host(options: "ServeOptions", reloading: Reloading, mistakes: Mistakes) -> "Host":
    """Return the host for the policy; exit 2 with every mistake so far if there is any."""
    from headrace.host.cluster.origin import of_cluster
    from headrace.host.serve.process import Host, Unservable

    if options.policies_from:
        # The files alone may be no policy; that they can be read is known already.
        read_sources(reloading.paths, mistakes)
        loaded = Loaded(VACANT)
    else:
        loaded = reloading.load()
    # A pool has no endpoints then, which is no mistake of the policy, and `--kube` is there.
    unasked = any(text.startswith(f"error: {KUBE}") for text in mistakes.texts)
    mistakes.texts += loaded.problems
    host = None
    if loaded.program is not None and not (unasked and of_cluster(loaded.program)):
        try:
            host = Host(loaded.program, options, replace(reloading, read=loaded.read))
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
    with asked_to_end() as asked, on_hangup(host.reload):
        await host.start()
        try:
            if await _first(host.ready(), asked.wait()):
                listening = await host.ready()
                typer.echo(_ready(listening, host.digest))
                await asked.wait()
            typer.echo(f"draining for up to {options.drain_grace_s:g} s")
        finally:
            await host.drain()
    typer.echo("stopped")


async def _first(wanted: Coroutine[Any, Any, object], other: Coroutine[Any, Any, object]) -> bool:
    """Return whether *wanted* has ended before *other*; cancel the one that has not."""
    tasks = [asyncio.ensure_future(wanted), asyncio.ensure_future(other)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].done()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _ready(listening: "Listening", digest: str) -> str:
    roles = "".join(f" {name}={address}" for name, address in listening.roles.items())
    heard = f"listen={listening.listen} metrics={listening.metrics}"
    return f"ready {heard} policy={digest[:12]}{roles}"


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


def _listen_address(text: str, mistakes: Mistakes) -> "Address | UnixAddress":
    from headrace.host.extproc.listen import UNIX, UnixAddress

    if not text.startswith(UNIX):
        return mistakes.address("--listen", text, free_port=True)
    path = text.removeprefix(UNIX)
    if not path.startswith("/"):
        mistakes.add(
            f"--listen: `{text}` is no absolute path: write e.g. `unix:/run/headrace.sock`"
        )
    return UnixAddress(path)


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


def _tls(given: ServeFlags, listen: "Address | UnixAddress", mistakes: Mistakes) -> "Tls | None":
    if given.tls_self_signed:
        return _self_signed(given, listen, mistakes)
    return _from_files(given.tls_cert, given.tls_key, given.tls_client_ca, mistakes)


def _self_signed(
    given: ServeFlags, listen: "Address | UnixAddress", mistakes: Mistakes
) -> "Tls | None":
    from headrace.host.envoy.address import Address
    from headrace.host.extproc.tls import self_signed

    if given.tls_cert is not None or given.tls_key is not None:
        mistakes.add("--tls-self-signed: not together with --tls-cert and --tls-key")
        return None
    names = ["localhost", listen.host] if isinstance(listen, Address) else ["localhost"]
    return self_signed(names, datetime.datetime.now(datetime.UTC))
