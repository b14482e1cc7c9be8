"""What one host tells the others, and how that looks on the wire.

Times are Unix seconds: monotonic clocks of two machines have nothing in common.
"""

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from headrace.extensions.picker.cost.load import MICROS

VERSION = 1
NOTE_BYTES_MAX = 64 << 10  # fits a datagram of a Unix socket as Linux has them
SAID_S = 3.0  # what was not said again for so long does not hold any more
AGAIN_S = 1.0  # how often what has not changed is said again
PICKS_MAX = 32  # newest picks of an endpoint whose times are told
TIME_S_MAX = 1e11  # from 1970; some thousand years
COUNT_MAX = 2**53  # as far as a float counts


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


def by_our_clock(note: Note, unix_s: float) -> Note:
    """Return *note*, which came at *unix_s*, with times as our clock had them.

    Clocks that agree to a second are believed: a note takes a while, and nobody knows how long.
    One that is off by more than any note takes would count what is open as of another hour.
    """
    off_s = note.sent_s - unix_s
    if abs(off_s) <= SAID_S:
        return note
    shares = [_earlier(share, off_s) for share in note.shares]
    pins = [replace(pin, at_s=pin.at_s - off_s) for pin in note.pins]
    return replace(note, shares=tuple(shares), pins=tuple(pins))


def _earlier(share: Share, by_s: float) -> Share:
    return replace(
        share,
        decode_first_us=share.decode_first_us - round(share.decoding * by_s * MICROS),
        recent_at_s=share.recent_at_s - by_s,
        picks=tuple([replace(pick, at_s=pick.at_s - by_s) for pick in share.picks]),
    )


def _sane(note: Note) -> bool:
    """Return whether no number of *note* could make a sum of ours negative, or no number."""
    times_s = [note.sent_s, *(pin.at_s for pin in note.pins)]
    for share in note.shares:
        times_s += (share.recent_at_s, *(pick.at_s for pick in share.picks))
        counts = _counts(share)
        if min(counts) < 0 or max(counts) > COUNT_MAX or len(share.picks) > PICKS_MAX:
            return False
        if not 0.0 <= share.recent_tokens <= COUNT_MAX:
            return False
    return all(-TIME_S_MAX <= at_s <= TIME_S_MAX for at_s in times_s)


def _counts(share: Share) -> tuple[int, ...]:
    """Return the whole numbers of *share* that count something."""
    return (
        share.open,
        share.tokens,
        share.uncached_tokens,
        share.decoding,
        share.prefills,
        share.prefill_pairs,
        share.decode_tokens,
        share.decode_output_tokens,
        share.filled_tokens,
        *[pick.kept_tokens for pick in share.picks],
    )
