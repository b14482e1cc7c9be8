"""One host: joins a program, its stages, the scraper, the telemetry and the wire."""

import asyncio
import gc
import logging
import os
from contextlib import AsyncExitStack
from dataclasses import replace
from ipaddress import ip_address
from secrets import token_bytes
from time import monotonic, time
from typing import TYPE_CHECKING

from headrace.dsl.program import Program
from headrace.extensions.directory import Directory
from headrace.extensions.picker.eviction import Evicted
from headrace.extensions.picker.flow.turn import Turn
from headrace.extensions.picker.membership import DECLARED
from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Site
from headrace.extensions.stage import Outcome
from headrace.host.clients.clients import Clients
from headrace.host.envoy.address import Address
from headrace.host.explain.log import DecisionLog
from headrace.host.explain.tell import decided, note
from headrace.host.extproc.edge import Performer
from headrace.host.extproc.listen import ListenError, UnixAddress
from headrace.host.extproc.options import MIB, GrpcOptions
from headrace.host.scrape.scraper import ScrapeOptions
from headrace.host.serve.doors import Doors, Wiring
from headrace.host.serve.evicting import evicted
from headrace.host.serve.load import Loaded, Reloading
from headrace.host.serve.options import Listening, ServeOptions, State
from headrace.host.serve.policy_desk import PolicyDesk
from headrace.host.serve.reload import Reloader
from headrace.host.serve.succession import Succession, Unservable, World
from headrace.host.serve.tally import Tally
from headrace.host.serve.usher import Usher
from headrace.host.serve.watchdog import Watchdog
from headrace.host.telemetry.admin import Admin
from headrace.host.telemetry.endpoint import OperatorEndpoint
from headrace.host.telemetry.log import Level
from headrace.host.telemetry.open import TelemetryOptions, open_telemetry
from headrace.host.telemetry.policy_pages import Page
from headrace.host.telemetry.readers import EVERYBODY
from headrace.host.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from headrace.host.serve.joined import Joined

SESSION_KEY_BYTES = 32  # as long as the digest it keys
FIRST_SCRAPE_S = 1.0  # how long the start waits for the replicas' first metrics
SYNC_S = 1.0  # how often the start asks whether the cluster has told who is in the pools
FLUSH_S = 2.0  # how long the end waits for spans and log lines to go out
ENVELOPE_BYTES = 8 * MIB  # what a message may have beside a whole body
__all__ = ["CannotListen", "Host", "Unservable"]
# Exchanges make little cyclic garbage; a full collection over the rest would be felt as latency.
GC_THRESHOLDS = (50_000, 20, 100)


class CannotListen(Exception):
    """An address, or a file to write to, cannot be had."""


class Host:
    """One `headrace serve`, from `start` to `drain`. Used from one event loop."""

    def __init__(
        self, program: Program, options: ServeOptions, reloading: Reloading | None = None
    ) -> None:
        """Build the stages; nothing listens yet.

        reloading  how the policy's files are followed; None: the policy stays

        Raises:
            Unservable: a stage is not installed.
        """
        self._options = options
        self._reloading = reloading or Reloading(lambda texts=(): Loaded(program))
        self._exits = AsyncExitStack()
        self._tally = Tally()
        self._telemetry: Telemetry | None = None
        self._decisions: DecisionLog | None = None
        self._doors: Doors | None = None
        self._roles: dict[str, str] = {}
        self._serving = False
        self._reloader: Reloader | None = None
        epoch_s = self._epoch_s = time() - monotonic()
        self._joined = _joined(options, self._reloading, self._tally)
        cluster = self._joined.cluster if self._joined else None
        self._cluster = cluster
        if self._joined is not None and self._joined.policies is not None:
            self._reloading = replace(self._reloading, texts=self._joined.policies)
        self._listening = Listening(options.listen, options.metrics_listen)
        self._failure: CannotListen | None = None
        self._ready = asyncio.Event()
        self._beginning: asyncio.Task[None] | None = None
        store = Store.for_program(program, cluster or DECLARED)
        self._store = store
        self._usher = Usher(store, self._tally.waited)
        self._clients = Clients(os.environ)
        site = Site(
            store,
            self._report,
            options.seed,
            epoch_s,
            self._announce,
            options.reference.conformance,
            options.reference.emit_scores,
            options.reference.plain_errors,
            options.lists_served,
            options.session_key or token_bytes(SESSION_KEY_BYTES),
            cluster.directory if cluster else Directory(),
            options.reference.destinations,
        )
        scraping = ScrapeOptions(seed=options.seed)
        world = World(site, options, scraping, self._tally, self._tally.soaked, cluster=cluster)
        self._succession = Succession(program, world)
        if cluster is not None:
            cluster.changed = self._succession.endpoints_changed
            cluster.follow(program)
            # Health says so, too; a proxy that has not asked yet takes another host by this.
            self._succession.current.lacking = "the pools are not known yet"

    @property
    def digest(self) -> str:
        """The digest of the policy it decides by."""
        return self._succession.generation.program.digest

    def reload(self) -> None:
        """Look at the policy's files at once: what SIGHUP does."""
        if self._reloader is not None:
            self._reloader.ask()

    async def start(self) -> Listening:
        """Begin to scrape and to listen, and return where.

        Raises:
            CannotListen: an address cannot be had; nothing is left open.
        """
        options = self._options
        named = f"worker={options.worker} " if options.worker else ""
        form = f"%(levelname)s {named}%(message)s"
        logging.basicConfig(level=options.log_level.upper(), format=form)
        try:
            self._telemetry = telemetry = open_telemetry(_telemetry(options), monotonic())
            self._tally.metrics = telemetry.metrics
            self._exits.callback(telemetry.close, FLUSH_S)
            self._exits.callback(self._usher.close)
            telemetry.metrics.queues(self._store.flows)
            self._open_decision_log(telemetry)
            await self._exits.enter_async_context(self._clients)
            await self._exits.enter_async_context(Watchdog(telemetry.metrics.loop_lag))
            await self._exits.enter_async_context(self._succession.scraper)
            self._exits.push_async_callback(self._succession.listener.stop)
            await self._succession.listener.adopt(self._succession.generation.program)
            telemetry.metrics.follow(self._store)
            telemetry.metrics.running(self._succession.current.requests)
            if self._joined is not None:
                telemetry.metrics.cluster(self._joined.cluster.ages)
                telemetry.metrics.election(self._joined.levels)
                self._exits.push_async_callback(self._joined.stop)
                self._joined.start()
            reloader = Reloader(self._succession, self._reloading, telemetry.metrics)
            self._reloader = await self._exits.enter_async_context(reloader)
            await self._join(telemetry)
            metrics_port = await self._open_endpoint(telemetry)
            heard = _heard_at(options.metrics_listen, metrics_port)
            self._listening = replace(self._listening, metrics=heard)
            if not reloader.vacant:
                await self._open_wire(telemetry)
        except BaseException:
            await self._exits.aclose()
            raise
        if self._cluster is None:
            await self._begin()
        else:  # the API server may be away for long: until then we are alive, and not ready
            self._beginning = asyncio.create_task(self._await_cluster(), name="wait for cluster")
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        return self._listening

    async def ready(self) -> Listening:
        """Wait until exchanges are taken: who is in the pools is known, and their metrics are.

        Return where they are taken.

        Raises:
            CannotListen: the first policy came late, and the address cannot be had.
        """
        await self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self._listening

    async def _await_cluster(self) -> None:
        try:
            await self._begin()
        except CannotListen as error:
            self._failure = error
            self._ready.set()

    async def _begin(self) -> None:
        succession = self._succession
        if self._reloader is not None and self._reloader.vacant:
            await self._first_policy(self._reloader)
        if self._cluster is not None:
            # Another policy, of pools that there are, may be in place meanwhile.
            while await self._cluster.synced(succession.generation.program, SYNC_S):
                pass
            await succession.settled()
            succession.current.lacking = ""
        await succession.scraper.first_round(FIRST_SCRAPE_S)
        self._serve(True)
        self._ready.set()

    async def _first_policy(self, reloader: Reloader) -> None:
        """Wait until the cluster has told of a policy that can serve, and listen for it."""
        assert self._joined is not None
        assert self._joined.policies is not None, "else there is a policy at once"
        assert self._telemetry is not None
        while self._joined.policies.pending():
            await self._joined.cluster.looked()
        reloader.ask()
        await reloader.lives.wait()
        await self._open_wire(self._telemetry)

    async def drain(self) -> None:
        """Take no more exchanges, let open ones finish for the grace, abort the rest, and end.

        Metrics can be read to the last.
        """
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.gather(self._beginning, return_exceptions=True)
        self._serve(False)
        if self._joined is not None:  # now, and not when the last stream has ended
            await asyncio.to_thread(self._joined.resign)
        self._usher.drain()
        if self._doors is not None:
            await self._doors.drain(self._options.drain_grace_s)
        await self._exits.aclose()

    def _serve(self, serving: bool) -> None:
        self._serving = serving
        if self._doors is not None:
            self._doors.set_serving(serving)

    def _report(self, outcome: Outcome) -> None:
        assert self._telemetry is not None, "exchanges exist only after the start"
        if self._decisions is not None and decided(outcome):
            self._decisions.put(note(outcome, self._telemetry.epoch_s + outcome.ended_s))
        self._telemetry.report(outcome)

    def _status(self) -> Page:
        generation, cluster = self._succession.generation, self._cluster
        program = generation.program
        page: Page = {
            "ready": self._serving,
            "policy": program.digest,
            "generation": generation.number,
            "pools": {
                name: {"endpoints": state.size, "ready": state.ready}
                for name, state in self._store.snapshot.pools.items()
            },
        }
        if self._roles:
            page["roles"] = dict(self._roles)
        if cluster is not None:
            page["cluster"] = cluster.page(program)
        if self._joined is not None:
            page |= self._joined.page()
        return page

    def _announce(self, traceparent: str, request_id: str, ratio: float | None) -> str:
        assert self._telemetry is not None, "exchanges exist only after the start"
        return self._telemetry.announce(traceparent, request_id, ratio)

    def _open_decision_log(self, telemetry: Telemetry) -> None:
        path = self._options.decision_log
        if path is None:
            return
        decisions = DecisionLog(path, telemetry.metrics.decisions_dropped)
        try:
            decisions.start()
        except OSError as error:
            raise CannotListen(f"--decision-log: cannot write `{path}`: {_why(error)}") from error
        self._decisions = decisions
        self._exits.callback(decisions.close, FLUSH_S)

    async def _join(self, telemetry: Telemetry) -> None:
        """Tell other hosts what is open here, and hear of theirs, if that is asked for."""
        if self._options.state == State():
            return
        from headrace.host.bus.join import Unjoined, bus_of

        try:
            bus = bus_of(self._options.state, self._store, self._epoch_s, telemetry.metrics)
            await self._exits.enter_async_context(bus)
        except Unjoined as error:
            raise CannotListen(f"--state: {error}") from error

    async def _open_endpoint(self, telemetry: Telemetry) -> int:
        address = self._options.metrics_listen
        assert self._reloader is not None, "it runs before the endpoint"
        desk = PolicyDesk(self._reloader)
        admin = Admin(_is_loopback(address), self._options.admin_token)
        readers = EVERYBODY if self._options.readers is None else self._options.readers
        endpoint = OperatorEndpoint(
            telemetry,
            lambda: self._serving,
            desk,
            admin,
            self._status,
            readers,
        )
        self._exits.push_async_callback(endpoint.stop)
        try:
            if isinstance(address, UnixAddress):
                await endpoint.start_unix(address.path)
                return 0
            return await endpoint.start(address.host, address.port)
        except OSError as error:
            raise CannotListen(
                f"--metrics-listen: cannot listen on `{address}`: {_why(error)}"
            ) from error

    async def _open_wire(self, telemetry: Telemetry) -> None:
        options, current = self._options, self._succession.current
        wiring = Wiring(
            options.transport,
            current.open,
            Performer({Turn: self._usher.turn, Evicted: evicted, **self._clients.performers}),
            telemetry.metrics,
            current.wants_context,
        )
        bytes_max = options.limits.body_bytes_max + ENVELOPE_BYTES
        self._doors = doors = Doors(
            wiring,
            GrpcOptions(
                message_bytes_max=bytes_max, tls=options.tls, reflection=options.reflection
            ),
        )
        try:
            if options.roles:
                heard = await doors.open_roles(options.roles)
                first = heard[options.roles[0].name]
                self._listening = replace(self._listening, listen=first, roles=heard)
                self._roles = {name: str(address) for name, address in heard.items()}
            else:
                port = await doors.open_plain(str(options.listen))
                self._listening = replace(self._listening, listen=_heard_at(options.listen, port))
        except ListenError as error:
            await doors.drain(0.0)
            flag = "--role" if options.roles else "--listen"
            raise CannotListen(f"{flag}: {error}") from error


def _joined(options: ServeOptions, reloading: Reloading, tally: Tally) -> "Joined | None":
    """Return what a host has of a cluster, if it is joined to one: its library is large."""
    if options.kube is None:
        return None
    from headrace.host.serve.joined import join

    return join(options.kube, options, tally, beside=bool(reloading.paths))


def _telemetry(options: ServeOptions) -> TelemetryOptions:
    return TelemetryOptions(
        otlp=options.otlp,
        sample_ratio=options.trace_sample_ratio,
        level=Level[options.log_level.upper()],
        worker=options.worker,
    )


def _heard_at(asked: Address | UnixAddress, port: int) -> Address | UnixAddress:
    return asked if isinstance(asked, UnixAddress) else Address(asked.host, port)


def _is_loopback(address: Address | UnixAddress) -> bool:
    return isinstance(address, UnixAddress) or ip_address(address.host).is_loopback


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
