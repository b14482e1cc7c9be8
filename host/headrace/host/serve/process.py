"""One host: joins a program, its stages, the scraper, the telemetry and the wire."""

import gc
import logging
from contextlib import AsyncExitStack
from time import monotonic

from headrace.dsl.program import Program
from headrace.extensions.picker.snapshot import Store
from headrace.extensions.registry import Site, UnknownStage
from headrace.extensions.stage import Outcome
from headrace.host.envoy.address import Address
from headrace.host.extproc.grpcio import GrpcServer, ListenError
from headrace.host.extproc.options import MIB, GrpcOptions
from headrace.host.generation import Generation, build_generation
from headrace.host.scrape.dialect import UnknownDialect
from headrace.host.scrape.scraper import ScrapeOptions, Scraper
from headrace.host.serve.options import Listening, ServeOptions
from headrace.host.serve.watchdog import Watchdog
from headrace.host.telemetry.endpoint import OperatorEndpoint
from headrace.host.telemetry.log import Level
from headrace.host.telemetry.open import TelemetryOptions, open_telemetry
from headrace.host.telemetry.telemetry import Telemetry

FIRST_SCRAPE_S = 1.0  # how long the start waits for the replicas' first metrics
FLUSH_S = 2.0  # how long the end waits for spans and log lines to go out
ENVELOPE_BYTES = 8 * MIB  # what a message may have beside a whole body
# Exchanges make little cyclic garbage; a full collection over the rest would be felt as latency.
GC_THRESHOLDS = (50_000, 20, 100)


class Unservable(Exception):
    """A program that compiles but asks for what is not installed here."""


class CannotListen(Exception):
    """An address cannot be had."""


class Host:
    """One `headrace serve`, from `start` to `drain`. Used from one event loop."""

    def __init__(self, program: Program, options: ServeOptions) -> None:
        """Build the stages; nothing listens yet.

        Raises:
            Unservable: a stage or a dialect of metrics is not installed.
        """
        self._program = program
        self._options = options
        self._store = Store.for_program(program)
        self._exits = AsyncExitStack()
        self._telemetry: Telemetry | None = None
        self._server: GrpcServer | None = None
        self._serving = False
        site = Site(self._store, self._report, options.seed)
        try:
            self._generation: Generation = build_generation(
                program, site, options.limits, options.modes
            )
            scraping = ScrapeOptions(seed=options.seed)
            self._scraper = Scraper(self._store, program, scraping, self)
        except (UnknownStage, UnknownDialect) as error:
            raise Unservable(str(error)) from error

    @property
    def digest(self) -> str:
        """The digest of the policy it decides by."""
        return self._program.digest

    async def start(self) -> Listening:
        """Begin to scrape and to listen, and return where.

        Raises:
            CannotListen: an address cannot be had; nothing is left open.
        """
        options = self._options
        logging.basicConfig(level=options.log_level.upper(), format="%(levelname)s %(message)s")
        try:
            self._telemetry = telemetry = open_telemetry(_telemetry(options), monotonic())
            self._exits.callback(telemetry.close, FLUSH_S)
            await self._exits.enter_async_context(Watchdog(telemetry.metrics.loop_lag))
            await self._exits.enter_async_context(self._scraper)
            metrics_port = await self._open_endpoint(telemetry)
            port = await self._open_wire(telemetry)
        except BaseException:
            await self._exits.aclose()
            raise
        await self._scraper.first_round(FIRST_SCRAPE_S)
        self._serve(True)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        return Listening(
            Address(options.listen.host, port), Address(options.metrics_listen.host, metrics_port)
        )

    async def drain(self) -> None:
        """Take no more exchanges, let open ones finish for the grace, abort the rest, and end.

        Metrics can be read to the last.
        """
        self._serve(False)
        if self._server is not None:
            await self._server.drain(self._options.drain_grace_s)
        await self._exits.aclose()

    def scraped(self, pool: str, endpoint: str, wall_s: float, ok: bool) -> None:
        """Count one scrape: the scraper's `Counts`."""
        if self._telemetry is not None:
            self._telemetry.metrics.scraped(pool, endpoint, wall_s, ok)

    def _serve(self, serving: bool) -> None:
        self._serving = serving
        if self._server is not None:
            self._server.set_serving(serving)

    def _report(self, outcome: Outcome) -> None:
        assert self._telemetry is not None, "exchanges exist only after the start"
        self._telemetry.report(outcome)

    async def _open_endpoint(self, telemetry: Telemetry) -> int:
        address = self._options.metrics_listen
        endpoint = OperatorEndpoint(telemetry, lambda: self._serving)
        self._exits.push_async_callback(endpoint.stop)
        try:
            return await endpoint.start(address.host, address.port)
        except OSError as error:
            raise CannotListen(
                f"--metrics-listen: cannot listen on `{address}`: {_why(error)}"
            ) from error

    async def _open_wire(self, telemetry: Telemetry) -> int:
        options = self._options
        server = GrpcServer(
            self._generation.open,
            options=GrpcOptions(
                message_bytes_max=options.limits.body_bytes_max + ENVELOPE_BYTES,
                tls=options.tls,
                wants_context=self._generation.wants_context,
            ),
            counts=telemetry.metrics,
        )
        try:
            port = await server.start(str(options.listen))
        except ListenError as error:
            raise CannotListen(f"--listen: {error}") from error
        self._server = server
        return port


def _telemetry(options: ServeOptions) -> TelemetryOptions:
    return TelemetryOptions(
        otlp=options.otlp,
        sample_ratio=options.trace_sample_ratio,
        level=Level[options.log_level.upper()],
    )


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
