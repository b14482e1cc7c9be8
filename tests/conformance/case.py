"""A case: what is sent, and what must be seen. The tables of `http2` are made of these.

A connection error is a GOAWAY with the code and then the end of the connection; a stream error
is an RST_STREAM with the code on a connection that lives on (RFC 9113, section 5.4). The native
transport is held to that. C-core is let off where h2spec lets everyone off: it may close without
a word, and may make a connection error of a stream error.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance import frames
from tests.conformance.c_core import excuse
from tests.conformance.calls import HEAD, request
from tests.conformance.frames import Code, Frame, Kind
from tests.conformance.peer import Peer, connected
from tests.conformance.site import TRANSPORTS, Site

Step = bytes | Callable[[Peer], None]
Sight = Callable[[Peer, Site], None]
OPEN = frames.headers(1, request())
WHOLE = frames.headers(1, request(), end=True)
HELLO = frames.data(1, HEAD)


@dataclass(frozen=True, slots=True)
class Case:
    """One demand of a section.

    sends     octets, or steps that wait for something
    settings  our own SETTINGS in the greeting
    """

    section: str
    what: str
    sends: Sequence[Step]
    sees: Sight
    settings: dict[int, int] | None = None

    def __str__(self) -> str:
        return f"{self.section} {self.what}"


def asked(cases: Sequence[Case]) -> pytest.MarkDecorator:
    """Return the parametrisation of a test by *cases* and transports."""
    pairs = [
        pytest.param(transport, case, id=f"{transport} {case}")
        for transport in TRANSPORTS
        for case in cases
        if transport == "native" or not excuse(str(case))
    ]
    return pytest.mark.parametrize(("site", "case"), pairs, indirect=["site"])


def play(case: Case, site: Site) -> None:
    """Say what *case* says to a new connection, and look."""
    with connected(site.port, case.settings) as peer:
        for step in case.sends:
            if isinstance(step, bytes):
                peer.send(step)
            else:
                step(peer)
        case.sees(peer, site)


def ended(stream: int) -> Step:
    """Wait for the end of the host's side of *stream*."""

    def step(peer: Peer) -> None:
        assert peer.answer(stream).frames

    return step


def heard(stream: int, messages: int = 1) -> Step:
    """Wait for so many messages on *stream*."""

    def step(peer: Peer) -> None:
        assert len(peer.arrived(stream, messages).messages) >= messages

    return step


def settled(peer: Peer) -> None:
    """Wait until the host has looked at all that was sent."""
    assert peer.settle()


def goaway(*codes: Code) -> Sight:
    """See a connection error with one of *codes*."""

    def sight(peer: Peer, site: Site) -> None:
        away = peer.gone()
        if away is None:
            assert site.transport == "grpcio", "closed without GOAWAY"
        else:
            assert away.code in codes, f"GOAWAY {_name(away)} {away.payload[8:]!r}"

    return sight


def rst(stream: int, *codes: Code) -> Sight:
    """See a stream error with one of *codes*."""

    def sight(peer: Peer, site: Site) -> None:
        found = peer.until(lambda f: _errs(f, stream))
        if site.transport == "grpcio" and (found is None or found.kind == Kind.GOAWAY):
            return
        assert found is not None, "the connection was closed"
        assert found.kind == Kind.RST_STREAM, f"GOAWAY {_name(found)} {found.payload[8:]!r}"
        assert found.code in codes, f"RST_STREAM {_name(found)}"
        _lives(peer)

    return sight


def either(stream: int, *codes: Code) -> Sight:
    """See a stream or a connection error with one of *codes*: the section leaves the choice."""

    def sight(peer: Peer, site: Site) -> None:
        found = peer.until(lambda f: _errs(f, stream))
        if found is None:
            assert site.transport == "grpcio", "closed without GOAWAY"
        else:
            assert found.code in codes, f"{_name(found)}"

    return sight


def malformed(stream: int = 1) -> Sight:
    """See a malformed request refused (8.1.1): RST_STREAM, if need be after an answer of 4xx."""

    def sight(peer: Peer, site: Site) -> None:
        found = peer.until(lambda f: _errs(f, stream))
        if site.transport == "grpcio" and (found is None or found.kind == Kind.GOAWAY):
            return
        assert found is not None
        assert found.kind == Kind.RST_STREAM, f"GOAWAY {_name(found)} {found.payload[8:]!r}"
        answer = peer.on(stream)
        assert found.code == Code.PROTOCOL_ERROR or answer.status[:1] == "4", _name(found)
        assert not answer.body
        _lives(peer)

    return sight


def alive(peer: Peer, site: Site) -> None:
    """See nothing happen."""
    _lives(peer)
    assert not peer.of(Kind.RST_STREAM)


def answers(stream: int = 1, grpc_status: str = "0", messages: int = -1) -> Sight:
    """See *stream* answered, with so many messages if that matters."""

    def sight(peer: Peer, site: Site) -> None:
        answer = peer.answer(stream)
        assert (answer.status, answer.grpc_status) == ("200", grpc_status), answer
        assert messages < 0 or len(answer.messages) == messages
        _lives(peer)

    return sight


def untouched(sight: Sight) -> Sight:
    """See *sight*, and that no exchange was begun for any of it."""

    def both(peer: Peer, site: Site) -> None:
        before = site.tally().opened
        sight(peer, site)
        assert site.tally().opened == before

    return both


def _errs(frame: Frame, stream: int) -> bool:
    return frame.kind == Kind.GOAWAY or (frame.kind == Kind.RST_STREAM and frame.stream == stream)


def _lives(peer: Peer) -> None:
    assert peer.settle(), "the connection was closed"
    assert not peer.of(Kind.GOAWAY), f"GOAWAY {_name(peer.of(Kind.GOAWAY)[0])}"


def _name(frame: Frame) -> str:
    code: Any = frame.code
    return Code(code).name if code in list(Code) else str(code)
