"""How long a connection waits, for what, and how it leaves: all rules that time alone sets off."""

from collections.abc import Mapping
from enum import Enum

from headrace.host.extproc.native.faults import ConnectionFault, Refusal
from headrace.host.extproc.native.frames import (
    ACK,
    PING,
    STREAM_MASK,
    ErrorCode,
    frame,
    goaway,
)
from headrace.host.extproc.native.limits import Limits
from headrace.host.extproc.native.stream import Stream

ALIVE_PING, LEAVE_PING = b"hr-alive", b"hr-leave"
ROUND_TRIP_S = 1.0  # how long we wait for the streams that were on their way to us


class Leaving(Enum):
    """How far a graceful end has come (RFC 9113 section 6.8)."""

    NO = "streams are welcome"
    ASKED = "the peer was asked to open no more; those on their way are still taken"
    LEFT = "no stream is taken any more"


class Patience:
    """The clock of one connection. Mutable; times are seconds of one clock.

    greeted, settled  the preface, and the acknowledgement of our SETTINGS, have come
    block_since_s     when the field block began that has not ended
    idle_since_s      when the last stream ended
    """

    __slots__ = (
        "_asked_s",
        "_began_s",
        "_heard_s",
        "_limits",
        "_pinged_s",
        "block_since_s",
        "greeted",
        "idle_since_s",
        "leaving",
        "settled",
    )

    def __init__(self, limits: Limits, now_s: float) -> None:
        self._limits = limits
        self._began_s = self._heard_s = self.idle_since_s = now_s
        self._asked_s = 0.0
        self._pinged_s: float | None = None
        self.block_since_s: float | None = None
        self.greeted = False
        self.settled = False
        self.leaving = Leaving.NO

    def heard(self, now_s: float) -> None:
        """Note that the peer lives."""
        self._heard_s = now_s
        self._pinged_s = None

    def check(self, now_s: float) -> None:
        """Hold the peer to its duties.

        Raises:
            ConnectionFault: it takes too long over one of them.
        """
        limits, age_s = self._limits, now_s - self._began_s
        if not self.greeted and age_s > limits.preface_s:
            raise _late(ErrorCode.PROTOCOL_ERROR, "the preface", Refusal.SLOW_PREFACE)
        if self.greeted and not self.settled and age_s > limits.settings_s:
            raise _late(ErrorCode.SETTINGS_TIMEOUT, "SETTINGS ACK", Refusal.SLOW_SETTINGS)
        block_s = self.block_since_s
        if block_s is not None and now_s - block_s > limits.headers_s:
            raise _late(ErrorCode.ENHANCE_YOUR_CALM, "END_HEADERS", Refusal.SLOW_HEADERS)
        if self._pinged_s is not None and now_s - self._pinged_s > limits.ping_s:
            raise _late(ErrorCode.NO_ERROR, "any sign of life", Refusal.DEAD_PEER)

    def is_idle(self, now_s: float) -> bool:
        """Return whether a connection without streams has had none for too long."""
        return self.leaving is Leaving.NO and now_s - self.idle_since_s > self._limits.idle_s

    def due(self, now_s: float, last_id: int) -> list[bytes]:
        """Return the frames that time makes due."""
        frames: list[bytes] = []
        if self.leaving is Leaving.ASKED and now_s - self._asked_s > ROUND_TRIP_S:
            frames.append(self.leave(last_id))
        if (
            self.greeted
            and self._pinged_s is None
            and now_s - self._heard_s > self._limits.ping_after_s
        ):
            self._pinged_s = now_s
            frames.append(frame(PING, 0, 0, ALIVE_PING))
        return frames

    def drain(self, now_s: float) -> list[bytes]:
        """Return the frames that ask the peer to go: it may not know of it for a round trip."""
        if self.leaving is not Leaving.NO:
            return []
        self.leaving = Leaving.ASKED
        self._asked_s = now_s
        return [goaway(STREAM_MASK, ErrorCode.NO_ERROR), frame(PING, 0, 0, LEAVE_PING)]

    def leave(self, last_id: int) -> bytes:
        """Return the frame that says which stream was the last."""
        self.leaving = Leaving.LEFT
        return goaway(last_id, ErrorCode.NO_ERROR)

    def pinged(self, payload: bytes, *, ack: bool, last_id: int) -> bytes:
        """Return the answer to a PING; of an answer to ours, what follows from it, if anything."""
        if not ack:
            return frame(PING, ACK, 0, payload)
        if payload == LEAVE_PING and self.leaving is Leaving.ASKED:
            return self.leave(last_id)
        return b""

    def stalled(self, now_s: float, since_s: Mapping[Stream, float]) -> list[Stream]:
        """Return the streams whose window was shut for too long."""
        longest_s = self._limits.stream_stall_s
        return [stream for stream, since in since_s.items() if now_s - since > longest_s]


def _late(code: ErrorCode, what: str, refusal: Refusal) -> ConnectionFault:
    return ConnectionFault(code, f"waited too long for {what}", refusal)
