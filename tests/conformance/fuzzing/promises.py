"""What the native transport's core promises whatever it is fed: no socket, no clock.

An input is a plan, one octet (how the rest is cut, and whether a preface comes before it), and
what the peer sends. The core must not raise, must tell each stream's events in an order that
makes sense, must send only what the referee lets a server send, and must say the same however
the octets are cut. The content of every stream is read as gRPC messages of ext_proc: each is a
part of an exchange, or the declared fault.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from hpack import Decoder

from headrace.host.extproc.codec import WireFault, decode
from headrace.host.extproc.native.blocks import HEAD, OK_TRAILERS
from headrace.host.extproc.native.connection import Connection
from headrace.host.extproc.native.events import Closed, Data, Ended, Event, Opened, Reset
from headrace.host.extproc.native.limits import Bounds
from headrace.host.extproc.native.messages import Assembler
from tests.conformance import frames
from tests.conformance.frames import HEADER_BYTES, PREFACE, Frame, Kind
from tests.conformance.referee import Referee

CORPUS = Path(__file__).parents[1] / "corpus"
CUTS = (1 << 30, 1, 7, 9, 64, 1000)
GREETED = 0x80  # of the plan: preface and SETTINGS come before the input
ANSWERS = 0x40  # of the plan: streams are answered
TURNS_MAX = 10_000
INPUT_BYTES_MAX = 4096
MESSAGE_BYTES_MAX = 1024
MODULES = ("frame_format", "streams", "frame_types", "messages", "hpack", "windows")


@dataclass(slots=True)
class Run:
    """One life of a connection. Mutable.

    told     what it said, without what depends on how the octets were cut
    content  of each stream, as it is put together to messages
    read     what the messages of each stream say
    """

    answers: bool
    connection: Connection = field(default_factory=lambda: Connection(Bounds(), 0.0))
    referee: Referee = field(default_factory=Referee)
    decoder: Decoder = field(default_factory=Decoder)
    told: list[tuple[str, int, bytes]] = field(default_factory=list[tuple[str, int, bytes]])
    alive: dict[int, bool] = field(default_factory=dict[int, bool])
    sent: bytearray = field(default_factory=bytearray)
    content: dict[int, Assembler] = field(default_factory=dict[int, Assembler])
    read: dict[int, list[str]] = field(default_factory=dict[int, list[str]])

    def feed(self, octets: bytes) -> None:
        """Give octets to the core, answer what it tells, and look at what it sends."""
        self.referee.sent(octets)
        was_closed = self.connection.closed
        events = self.connection.receive(octets, 0.0)
        assert not (was_closed and events), "told something after the end"
        for event in events:
            self._check(event)
        for event in events:
            if self.answers:
                self._answer(event)
        self._take()

    def end(self) -> None:
        """Let time pass, until nothing is left to wait for."""
        for now_s in (0.5, 30.0, 5000.0):
            for event in self.connection.tick(now_s):
                self._check(event)
            self._take()

    def _check(self, event: Event) -> None:
        match event:
            case Opened(stream, head):
                assert stream.id not in self.alive, "opened twice"
                assert stream.id % 2 == 1
                assert head.path.startswith(b"/") or head.method in (b"OPTIONS", b"CONNECT")
                self.alive[stream.id] = True
                encoding = head.fields.get(b"grpc-encoding", b"")
                self.content[stream.id] = Assembler(MESSAGE_BYTES_MAX, encoding)
                self.read[stream.id] = []
                self.told.append(("opened", stream.id, head.path))
            case Data(stream, payload):
                assert self.alive[stream.id], "data after the end"
                assert payload
                self._tell_data(stream.id, payload)
                self._read(stream.id, payload)
            case Ended(stream):
                assert self.alive[stream.id], "ended twice"
                self.alive[stream.id] = False
                self.told.append(("ended", stream.id, b""))
            case Reset(stream):
                assert stream.id in self.alive
                self.alive[stream.id] = False
                self.told.append(("reset", stream.id, b""))
            case Closed(code, _):
                self.told.append(("closed", int(code), b""))
            case _:
                return

    def _tell_data(self, stream: int, payload: bytes) -> None:
        kind, last, before = self.told[-1]
        if (kind, last) == ("data", stream):
            self.told[-1] = (kind, last, before + payload)
        else:
            self.told.append(("data", stream, payload))

    def _read(self, stream: int, payload: bytes) -> None:
        assembler, read = self.content[stream], self.read[stream]
        for message in assembler.feed(payload):
            assert len(message) <= MESSAGE_BYTES_MAX
            try:
                read.append(repr(decode(message)))
            except WireFault as fault:
                read.append(str(fault))
        if assembler.refusal is not None and read[-1:] != [assembler.refusal.code]:
            read.append(assembler.refusal.code)  # nothing is read behind it
        assert assembler.held_bytes <= MESSAGE_BYTES_MAX + 5

    def _answer(self, event: Event) -> None:
        connection = self.connection
        match event:
            case Opened(stream, _):
                connection.respond(stream, HEAD)
            case Data(stream, payload):
                connection.send(stream, payload)
            case Ended(stream):
                connection.finish(stream, OK_TRAILERS)
            case _:
                return

    def _take(self) -> None:
        for _ in range(TURNS_MAX):
            octets = self.connection.take(0.0)
            self.sent += octets
            if not self.connection.wants_turn:
                break
        else:
            raise AssertionError("it never stops to want a turn")
        while (found := _first(self.sent)) is not None:
            self._judge(found)

    def _judge(self, frame: Frame) -> None:
        if frame.kind == Kind.HEADERS:
            fields = tuple((str(n), str(v)) for n, v in self.decoder.decode(frame.payload))
            frame = Frame(frame.kind, frame.flags, frame.stream, frame.payload, fields)
        self.referee.received(frame)


def _first(sent: bytearray) -> Frame | None:
    size = HEADER_BYTES + int.from_bytes(sent[:3], "big")
    found = frames.split(bytes(sent[:size])) if len(sent) >= HEADER_BYTES else None
    if found is None:
        return None
    del sent[:size]
    return found[0]


def try_input(data: bytes) -> None:
    """Let the core live through *data*, whole and cut; raise if a promise is broken."""
    if not data:
        return
    plan, octets = data[0], data[1 : 1 + INPUT_BYTES_MAX]
    if plan & GREETED:
        octets = PREFACE + frames.settings() + octets
    whole, cut = Run(bool(plan & ANSWERS)), Run(bool(plan & ANSWERS))
    whole.feed(octets)
    step = CUTS[(plan & 0x3F) % len(CUTS)]
    for at in range(0, len(octets), step):
        cut.feed(octets[at : at + step])
    if not whole.answers:  # what is answered may be over before the rest comes
        assert whole.told == cut.told, "the cut matters"
        assert whole.read == cut.read, "the cut matters to the messages"
    for run in (whole, cut):
        run.end()


def seeds() -> Iterator[bytes]:
    """Yield an input for every case of the tables."""
    for name in MODULES:
        module: Any = import_module(f"tests.conformance.http2.test_{name}")  # tables by any name
        cases: list[Any] = [
            case
            for name in dir(module)
            if isinstance(table := getattr(module, name), tuple)
            for case in cast("tuple[object, ...]", table)
        ]
        for case in cases:
            steps = getattr(case, "sends", ())
            octets = b"".join(step for step in steps if isinstance(step, bytes))
            if octets and len(octets) <= 1024:
                yield bytes([GREETED | ANSWERS]) + octets
