"""What one host tells the others, and how that looks on the wire.

Times are Unix seconds: monotonic clocks of two machines have nothing in common.
"""

import math

import msgspec
from msgspec import Struct

VERSION = 1
NOTE_BYTES_MAX = 64 << 10  # fits a datagram of a Unix socket as Linux has them
SAID_S = 3.0  # what was not said again for so long does not hold any more
AGAIN_S = 1.0  # how often what has not changed is said again
PICKS_MAX = 32  # newest picks of an endpoint whose times are told


class Pick(Struct, frozen=True, array_like=True):
    """One open request: when it was picked, and the tokens it adds to the server's cache."""

    at_s: float
    kept_tokens: int


class Share(Struct, frozen=True, array_like=True):
    """What one host has open at one endpoint, as sums; `Carried` says what most of them mean.

    filled_tokens  sent there by it since the server started
    picks          its newest open requests, newest first, at most `PICKS_MAX`
    """

    pool: str
    address: str
    open: int = 0
    tokens: int = 0
    uncached_tokens: int = 0
    decoding: int = 0
    prefills: int = 0
    prefill_pairs: int = 0
    decode_tokens: int = 0
    decode_first_us: int = 0
    decode_output_tokens: int = 0
    filled_tokens: int = 0
    recent_tokens: float = 0.0
    recent_at_s: float = 0.0
    picks: tuple[Pick, ...] = ()


class Sent(Struct, frozen=True, array_like=True):
    """An endpoint was sent a prompt: what the index of prefixes learns by it."""

    pool: str
    address: str
    block_bytes: int
    hashes: tuple[int, ...]
    end: int
    size: int


class Pin(Struct, frozen=True, array_like=True):
    """A session was bound to an endpoint."""

    pool: str
    session: str
    address: str
    at_s: float


class Note(Struct, frozen=True, array_like=True):
    """One message of one host.

    origin   names the process, another one after each start
    number   counts its notes, from 1
    sent_s   by its clock
    leaving  it ends: nothing of it is open any more
    """

    origin: str
    number: int
    sent_s: float
    shares: tuple[Share, ...] = ()
    sent: tuple[Sent, ...] = ()
    pins: tuple[Pin, ...] = ()
    leaving: bool = False


class Unreadable(ValueError):
    """A message is none of ours, or of another version."""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Note)


def encoded(note: Note) -> bytes:
    """Return *note* as bytes: the version, then msgpack."""
    return bytes((VERSION,)) + _ENCODER.encode(note)


def decoded(data: bytes) -> Note:
    """Return the note in *data*.

    Raises:
        Unreadable: it is none.
    """
    if not data or data[0] != VERSION or len(data) > NOTE_BYTES_MAX:
        raise Unreadable("not a note of this version")
    try:
        note = _DECODER.decode(memoryview(data)[1:])
    except msgspec.DecodeError as error:
        raise Unreadable(str(error)) from error
    if not _sane(note):
        raise Unreadable("counts below zero, or no numbers")
    return note


def _sane(note: Note) -> bool:
    """Return whether no sum of *note* could make one of ours negative."""
    times_s = [note.sent_s, *(p.at_s for p in note.pins)]
    for share in note.shares:
        times_s += (share.recent_tokens, share.recent_at_s, *(p.at_s for p in share.picks))
    return all(map(math.isfinite, times_s)) and all(
        min(s.open, s.tokens, s.uncached_tokens, s.decoding, s.prefills, s.filled_tokens) >= 0
        and s.recent_tokens >= 0.0
        and len(s.picks) <= PICKS_MAX
        for s in note.shares
    )
