"""The limits that stop attacks. Each is far from what any Envoy does in earnest."""

from dataclasses import dataclass, field

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may happen on a connection: *burst* at once, then *per_s*."""

    burst: int
    per_s: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer may cost. A peer that goes beyond it is sent away, and counted by kind.

    connections_max        of the listener; one Envoy opens one connection per worker
    connection_window_bytes  what a peer may send unread on all streams of a connection
    continuations_max      CONTINUATION frames of one field block
    header_list_factor     a field section this many times over what we advertise ends the
                           connection; a smaller excess only its stream, with 431
    held_bytes_max         of incomplete messages on one connection
    output_bytes_max       of what a connection has to send; beyond it, the peer may send no more
    stream_output_bytes_max  the same of one stream
    control_bytes_max      of answers to control frames that the peer does not read
    resets                 streams that the peer resets before it has sent anything
    unanswered             streams that the peer resets before we have answered. Envoy does so in
                           observability mode, once per request
    stream_errors          streams that we must reset because the peer does wrong
    small_updates          WINDOW_UPDATEs of less than `small_update_bytes`
    settings_s, preface_s, headers_s  how long a peer may take to acknowledge our SETTINGS,
                           to send the preface, to finish a field block
    idle_s                 how long a connection may be without streams. Envoy leaves after an hour
    ping_after_s, ping_s   after this silence a peer is asked to answer, within that time
    write_stall_s          how long a peer may take nothing from its socket
    stream_stall_s         how long a peer may keep the window of a stream shut that has data
    """

    connections_max: int = 4096
    connection_window_bytes: int = 8 * MIB
    continuations_max: int = 256
    header_list_factor: int = 4
    held_bytes_max: int = 256 * MIB
    output_bytes_max: int = 64 * MIB
    stream_output_bytes_max: int = 64 * KIB
    control_bytes_max: int = 256 * KIB
    resets: Rate = Rate(1_000, 100.0)
    unanswered: Rate = Rate(20_000, 5_000.0)
    stream_errors: Rate = Rate(500, 50.0)
    pings: Rate = Rate(1_000, 100.0)
    settings: Rate = Rate(100, 10.0)
    empty_frames: Rate = Rate(1_000, 100.0)
    priorities: Rate = Rate(2_000, 200.0)
    unknown_frames: Rate = Rate(1_000, 100.0)
    small_updates: Rate = Rate(10_000, 1_000.0)
    small_update_bytes: int = KIB
    settings_s: float = 10.0
    preface_s: float = 10.0
    headers_s: float = 10.0
    idle_s: float = 3_900.0
    ping_after_s: float = 60.0
    ping_s: float = 20.0
    write_stall_s: float = 60.0
    stream_stall_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one connection promises its peer in SETTINGS, and the limits behind it."""

    window_bytes: int = 256 * KIB
    streams_max: int = 10_000
    header_list_bytes_max: int = 64 * KIB
    limits: Limits = field(default_factory=Limits)


class Budget:
    """A token bucket. Mutable; times are seconds of one clock."""

    __slots__ = ("_left", "_rate", "_seen_s")

    def __init__(self, rate: Rate, now_s: float) -> None:
        self._rate = rate
        self._left = float(rate.burst)
        self._seen_s = now_s

    def spend(self, now_s: float) -> bool:
        """Take one token; return whether there was one."""
        left = self._left
        if left < 1.0:
            rate = self._rate
            left = min(float(rate.burst), left + (now_s - self._seen_s) * rate.per_s)
            self._seen_s = now_s
            if left < 1.0:
                self._left = left
                return False
        self._left = left - 1.0
        return True
