"""Watches one connection from the client's side and holds the host to RFC 9113 as a sender.

It reads along with what the test sends, so it knows every window and which streams are open;
once the test has sent nonsense it knows less, and forgives only what follows from that.
"""

from dataclasses import dataclass, field

from tests.conformance.frames import (
    FRAME_BYTES_MIN_MAX,
    PREFACE,
    WINDOW_START_BYTES,
    Flag,
    Frame,
    Kind,
    Setting,
    split,
    uint32,
)

FRAME_HEADER_BYTES = 9
ERRORS_MAX = 13


class Foul(AssertionError):
    """The host sent what RFC 9113 forbids; the message says what and the section."""


@dataclass(slots=True)
class Side:
    """The host's half of one stream. *open*: the test has begun it."""

    window_bytes: int
    head: bool = False
    over: bool = False
    reset_by_us: bool = False


@dataclass(slots=True)
class Referee:
    """Mutable; one per connection, fed by its Peer.

    blind  the test sends what is not shown to us: only what is wrong by itself is judged
    """

    window_bytes: int = WINDOW_START_BYTES
    initial_window_bytes: int = WINDOW_START_BYTES
    frame_bytes_max: int = FRAME_BYTES_MIN_MAX
    sides: dict[int, Side] = field(default_factory=dict[int, Side])
    pings: list[bytes] = field(default_factory=list[bytes])
    unacked: list[dict[int, int]] = field(default_factory=list[dict[int, int]])
    last_goaway: int | None = None
    first: bool = True
    blind: bool = False
    _sending: bytearray = field(default_factory=bytearray)
    _greeted: bool = False

    def sent(self, data: bytes) -> None:
        """Read along with what the test sends."""
        self._sending += data
        if not self._greeted:
            if len(self._sending) < len(PREFACE):
                return
            self._greeted = True
            if self._sending.startswith(PREFACE):
                del self._sending[: len(PREFACE)]
        offset = 0
        view = bytes(self._sending)
        while len(view) - offset >= FRAME_HEADER_BYTES:
            size = int.from_bytes(view[offset : offset + 3], "big")
            found = split(view[offset : offset + FRAME_HEADER_BYTES + size])
            if found is None:
                break
            self._note(found[0])
            offset += found[1]
        del self._sending[:offset]

    def received(self, frame: Frame) -> None:
        """Judge one frame of the host.

        Raises:
            Foul: it may not be sent, here or at all.
        """
        if self.first and frame.kind != Kind.SETTINGS:
            raise Foul(f"the first frame is {frame}, not SETTINGS (3.4)")
        self.first = False
        if len(frame.payload) > self.frame_bytes_max:
            raise Foul(f"{frame} of {len(frame.payload)} octets, over our maximum (4.2)")
        match frame.kind:
            case Kind.DATA | Kind.HEADERS | Kind.RST_STREAM:
                self._on_stream(frame)
            case Kind.SETTINGS:
                self._on_settings(frame)
            case Kind.PING:
                self._on_ping(frame)
            case Kind.GOAWAY:
                self._on_goaway(frame)
            case Kind.WINDOW_UPDATE:
                self._require(len(frame.payload) == 4, frame, "6.9")
                self._require(uint32(frame.payload, 0) & 0x7FFFFFFF > 0, frame, "6.9")
            case Kind.CONTINUATION:
                return
            case _:
                raise Foul(f"{frame} is not for a server to send")

    def _note(self, frame: Frame) -> None:
        match frame.kind:
            case Kind.HEADERS:
                self.sides.setdefault(frame.stream, Side(self.initial_window_bytes))
            case Kind.RST_STREAM if frame.stream in self.sides:
                self.sides[frame.stream].reset_by_us = True
            case Kind.PING if not frame.flags & Flag.ACK:
                self.pings.append(frame.payload)
            case Kind.SETTINGS if not frame.flags & Flag.ACK:
                self._offer(frame.payload)
            case Kind.WINDOW_UPDATE if len(frame.payload) == 4:
                more = uint32(frame.payload, 0) & 0x7FFFFFFF
                if frame.stream == 0:
                    self.window_bytes += more
                elif frame.stream in self.sides:
                    self.sides[frame.stream].window_bytes += more
            case _:
                return

    def _offer(self, payload: bytes) -> None:
        # More room counts from now on, less of it only from the host's ACK.
        values: dict[int, int] = {}
        for at in range(0, len(payload) - len(payload) % 6, 6):
            values[int.from_bytes(payload[at : at + 2], "big")] = uint32(payload, at + 2)
        self.unacked.append(values)
        if values.get(Setting.INITIAL_WINDOW_SIZE, 0) > self.initial_window_bytes:
            self._resize(values[Setting.INITIAL_WINDOW_SIZE])
        self.frame_bytes_max = max(self.frame_bytes_max, values.get(Setting.MAX_FRAME_SIZE, 0))

    def _resize(self, size_bytes: int) -> None:
        for side in self.sides.values():
            side.window_bytes += size_bytes - self.initial_window_bytes
        self.initial_window_bytes = size_bytes

    def _on_settings(self, frame: Frame) -> None:
        self._require(frame.stream == 0 and len(frame.payload) % 6 == 0, frame, "6.5")
        if not frame.flags & Flag.ACK:
            return
        self._require(not frame.payload, frame, "6.5")
        if self.blind:
            return
        self._require(bool(self.unacked), frame, "6.5.3: acknowledges what was never sent")
        values = self.unacked.pop(0)
        if Setting.INITIAL_WINDOW_SIZE in values:
            self._resize(values[Setting.INITIAL_WINDOW_SIZE])
        self.frame_bytes_max = values.get(Setting.MAX_FRAME_SIZE, self.frame_bytes_max)

    def _on_ping(self, frame: Frame) -> None:
        self._require(frame.stream == 0 and len(frame.payload) == 8, frame, "6.7")
        if frame.flags & Flag.ACK:
            known = frame.payload in self.pings
            self._require(known or self.blind, frame, "6.7: an ACK of no PING of ours")
            if known:
                self.pings.remove(frame.payload)

    def _on_goaway(self, frame: Frame) -> None:
        self._require(frame.stream == 0 and len(frame.payload) >= 8, frame, "6.8")
        last = self.last_goaway
        self._require(last is None or frame.last_stream <= last, frame, "6.8: a higher last stream")
        self._require(frame.code <= ERRORS_MAX, frame, "7")
        self.last_goaway = frame.last_stream

    def _on_stream(self, frame: Frame) -> None:
        if self.blind:
            self.sides.setdefault(frame.stream, Side(self.initial_window_bytes))
        side = self.sides.get(frame.stream)
        if frame.kind == Kind.RST_STREAM:
            self._require(side is not None or bool(frame.stream), frame, "6.4")
            self._require(len(frame.payload) == 4 and frame.code <= ERRORS_MAX, frame, "6.4")
            if side is not None:
                side.over = True
            return
        self._require(side is not None, frame, "5.1: a stream that we never began")
        assert side is not None
        self._require(not side.over, frame, "5.1: after the end of the stream")
        if frame.kind == Kind.DATA:
            self._require(side.head, frame, "8.1: before the head")
            self._require(not frame.flags & Flag.PADDED, frame, "6.1: padding without need")
            self._spend(side, frame)
        elif frame.fields:
            self._on_block(side, frame)
        side.over = side.over or frame.ends_stream

    def _spend(self, side: Side, frame: Frame) -> None:
        size = len(frame.payload)
        side.window_bytes -= size
        self.window_bytes -= size
        if size and not self.blind:
            self._require(side.window_bytes >= 0, frame, "6.9.1: over the stream's window")
            self._require(self.window_bytes >= 0, frame, "6.9.1: over the connection's window")

    def _on_block(self, side: Side, frame: Frame) -> None:
        names = [name for name, _ in frame.fields]
        self._require(all(name == name.lower() for name in names), frame, "8.2.1")
        if side.head:
            self._require(not any(name[:1] == ":" for name in names), frame, "8.1: in trailers")
            self._require(frame.ends_stream, frame, "8.1: trailers that do not end the stream")
        else:
            self._require(names[0] == ":status" and names.count(":status") == 1, frame, "8.3.2")
            self._require(not any(name[:1] == ":" for name in names[1:]), frame, "8.3.2")
        side.head = True

    def _require(self, holds: bool, frame: Frame, section: str) -> None:
        if not holds:
            raise Foul(f"{frame} {frame.fields} breaks {section}")
