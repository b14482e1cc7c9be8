"""The reference transport: ext_proc over `grpc.aio`."""

import asyncio

from headrace.host.extproc.counts import Counts, NoCounts
from headrace.host.extproc.edge import Performer
from headrace.host.extproc.grpcio_health import health_service
from headrace.host.extproc.grpcio_reflection import Teller
from headrace.host.extproc.health import HEALTH_SERVICE, Health
from headrace.host.extproc.listen import UNIX, ListenError, claim_unix
from headrace.host.extproc.opening import Factory
from headrace.host.extproc.options import GrpcOptions
from headrace.host.extproc.reflection import Reflection
from headrace.host.extproc.rpc import (
    DEAD_STREAM,
    AbortError,
    Certificate,
    Context,
    Server,
    duplex,
    server,
    service,
    status,
    tls,
)
from headrace.host.extproc.service import SERVICE
from headrace.host.extproc.session import CHAIN_METADATA, TRACE_METADATA, Door, Session
from headrace.host.extproc.tls import Renewal, Tls

__all__ = ["EXPEL_S", "SERVICE", "GrpcServer", "ListenError"]

EXPEL_S = 2.0  # how long a status may take to reach the peers after the grace


class GrpcServer:
    """Serves ext_proc streams and gRPC health on one port. Mutable; event loop's thread only."""

    def __init__(
        self,
        factory: Factory,
        performer: Performer | None = None,
        options: GrpcOptions | None = None,
        counts: Counts | None = None,
    ) -> None:
        self._options = options or GrpcOptions()
        self._counts = counts or NoCounts()
        self._door = Door(
            factory,
            performer or Performer(),
            self._counts,
            self._options.wants_context,
            self._options.listener,
            self._options.reply_bytes_max,
        )
        self._calls: set[_Call] = set()
        self._teller: Teller | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._health = Health()
        self._server: Server | None = None

    @property
    def active_exchanges(self) -> int:
        """How many streams are open."""
        return len(self._calls)

    async def start(self, address: str) -> int:
        """Listen on *address* and return the port, 0 for a Unix socket.

        address  ``host:port``, port 0 for any, or ``unix:/path``

        Health says NOT_SERVING until `set_serving`.

        Raises:
            ListenError: the address is taken, or none of ours.
        """
        assert self._server is None, "started twice"
        options = self._options
        services = [health_service(self._health)]
        if not options.health_only:
            services.append(service(SERVICE, {"Process": duplex(self._process)}))
        if options.reflection:
            self._teller = Teller(Reflection((SERVICE, HEALTH_SERVICE)))
            services += self._teller.services()
        grpc = server(
            tuple(services),
            _channel_arguments(options),
            options.exchanges_max,
        )
        if address.startswith(UNIX):
            claim_unix(address.removeprefix(UNIX))
        try:
            if options.tls is None:
                port = grpc.add_insecure_port(address)
            else:
                port = grpc.add_secure_port(address, _credentials(options.tls))
        except RuntimeError as error:
            raise ListenError(f"cannot listen on `{address}`: is the port taken?") from error
        await grpc.start()
        self._server = grpc
        return 0 if address.startswith(UNIX) else port

    def set_serving(self, serving: bool) -> None:
        """Say by health whether new streams are welcome. They are served all the same."""
        self._health.set_serving(serving)

    async def drain(self, grace_s: float) -> None:
        """Stop: no new streams, let the open ones finish for *grace_s*, abort what is left.

        What is left is ended with UNAVAILABLE: OK, or a bare cancellation, could pass for
        the end of a body.
        """
        self._health.set_serving(False)
        self._health.close()
        if self._server is None:
            return
        stopped = asyncio.ensure_future(self._server.stop(grace_s + EXPEL_S))
        if self._teller is not None:
            await self._teller.expel()
        try:
            await asyncio.wait_for(self._idle.wait(), grace_s)
        except TimeoutError:
            for call in tuple(self._calls):
                call.session.expel("the host is shutting down")
        await stopped
        self._server = None

    async def _process(self, _requests: object, context: Context) -> None:
        call = _Call(self._door, context)
        self._calls.add(call)
        self._idle.clear()
        try:
            await call.serve()
        finally:
            call.leave()
            self._calls.discard(call)
            if not self._calls:
                self._idle.set()


class _Call:
    """One RPC: reads in the RPC's own task, writes in whichever task has something to say.

    Reading goes on while an effect is pending; it rests while a write waits for the peer,
    which is how back-pressure travels through us.
    """

    __slots__ = (
        "_context",
        "_counts",
        "_gone",
        "_sent",
        "_sent_bytes",
        "_writers",
        "_writing",
        "session",
    )

    def __init__(self, door: Door, context: Context) -> None:
        self._context = context
        self._counts = door.counts
        self._gone = False
        self._sent = self._sent_bytes = 0
        self._writing = asyncio.Lock()
        self._writers: set[asyncio.Task[None]] = set()
        chain, traceparent = "default", ""
        for name, value in context.invocation_metadata() or ():
            if name == CHAIN_METADATA:
                chain = str(value)
            elif name == TRACE_METADATA:
                traceparent = str(value)
        self.session = Session(door, chain, traceparent, self._wake)

    async def serve(self) -> None:
        """Run the stream to its end; raises what gRPC wants raised."""
        session, read = self.session, self._context.read
        while isinstance(message := await read(), bytes):
            session.receive(message)
            if session.frames or session.abort is not None:
                await self._flush()
        session.half_close()
        await self._flush()

    def leave(self) -> None:
        """Let go of the RPC: touching it after its end would crash the process."""
        self._gone = True
        self.session.leave()
        self._counts.sent(self._sent, self._sent_bytes)

    def _wake(self) -> None:
        if not self._gone:
            writer = asyncio.get_running_loop().create_task(self._flush_aside())
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)

    async def _flush_aside(self) -> None:
        # gRPC ends the RPC's own task with the same AbortError.
        try:
            await self._flush()
        except AbortError:
            return

    async def _flush(self) -> None:
        session = self.session
        async with self._writing:
            frames = session.frames
            try:
                while frames and not self._gone:
                    frame = frames.popleft()
                    await self._context.write(frame)
                    self._sent += 1
                    self._sent_bytes += len(frame)
                abort = session.abort
                if abort is not None and not self._gone:
                    self._gone = True
                    await self._context.abort(status(abort.code), abort.message)
            except DEAD_STREAM:
                # The peer has reset the stream; the next read says so in its own way.
                self._gone = True
                frames.clear()


def _channel_arguments(options: GrpcOptions) -> list[tuple[str, int]]:
    arguments = [
        ("grpc.so_reuseport", 0),  # a taken port is an error, not a silent second server
        ("grpc.max_receive_message_length", options.message_bytes_max),
        ("grpc.max_send_message_length", options.message_bytes_max),
        ("grpc.max_metadata_size", options.metadata_bytes_max),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", options.window_bytes),
        ("grpc.max_concurrent_streams", options.streams_per_connection),
        # Left alone, gRPC drops streams at random once 1,000 wait for Python: a burst of them.
        ("grpc.server.max_pending_requests", options.exchanges_max),
        ("grpc.server.max_pending_requests_hard_limit", options.exchanges_max),
        ("grpc.keepalive_permit_without_calls", 1),
        (
            "grpc.http2.min_ping_interval_without_data_ms",
            int(options.ping_interval_min_s * 1000),
        ),
        ("grpc.enable_http_proxy", 0),
    ]
    if options.connection_age_max_s is not None:
        arguments += [
            ("grpc.max_connection_age_ms", int(options.connection_age_max_s * 1000)),
            ("grpc.max_connection_age_grace_ms", int(options.connection_age_grace_s * 1000)),
        ]
    return arguments


def _credentials(first: Tls) -> object:
    """Return *first*, followed where its files go, for gRPC, which does ALPN itself."""
    renewal = Renewal(first)

    def renewed() -> Certificate | None:
        newer = renewal.look()
        return None if newer is None else _certificate(newer)

    return tls(_certificate(first), renewed, first.client_ca is not None)


def _certificate(shown: Tls) -> Certificate:
    return shown.key, shown.certificate, shown.client_ca
