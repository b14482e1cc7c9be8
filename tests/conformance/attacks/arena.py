"""The measure of an attack: what it costs the host, and whether others are still served."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

import pytest

from tests.conformance import frames
from tests.conformance.calls import HEAD, chunk, request
from tests.conformance.frames import Code, Frame
from tests.conformance.peer import Peer, connected
from tests.conformance.site import Site

MIB = 1 << 20
NATIVE = pytest.mark.parametrize("site", ["native"], indirect=True)
CALM = (Code.ENHANCE_YOUR_CALM,)
WAIT_S_MAX = 3.0  # of a bystander, from its request to its answer, on a busy machine


@dataclass(frozen=True, slots=True)
class Price:
    """What an attack may cost the host at most."""

    cpu_s: float = 2.0
    grown_bytes: int = 24 * MIB


CHEAP = Price()


@contextmanager
def arena(site: Site, price: Price = CHEAP, port: int = 0) -> Generator[Peer]:
    """Give an attacker's connection; judge what it did when the test is through with it.

    Meanwhile an older connection has a stream open: it must be answered at once, and so must
    a new one. The attacker's connection is still there then.
    """
    with connected(site.port) as bystander, connected(port or site.port) as attacker:
        bystander.send(frames.headers(1, request()), frames.data(1, HEAD))
        bystander.arrived(1, 1)
        before = site.calm()
        yield attacker
        began_s = monotonic()
        bystander.send(frames.data(1, chunk(100)))
        assert len(bystander.arrived(1, 2).messages) == 2
        with connected(site.port) as newcomer:
            newcomer.send(frames.headers(1, request()), frames.data(1, HEAD, end=True))
            assert newcomer.answer(1).grpc_status == "0"
        waited_s = monotonic() - began_s
        after = site.tally()
        bystander.send(frames.data(1, end=True))
        assert bystander.answer(1).grpc_status == "0"
    assert waited_s < WAIT_S_MAX
    assert after.cpu_s - before.cpu_s < price.cpu_s
    assert after.peak_bytes - before.memory_bytes < price.grown_bytes
    assert after.complaints == []


def sent_away(peer: Peer, *codes: Code) -> Frame | None:
    """Assert that *peer* was sent away, with one of *codes* if the GOAWAY was not lost.

    A close with octets unread makes the kernel forget what was on its way to us.
    """
    away = peer.gone()
    assert away is None or away.code in (codes or CALM), (away, away.payload[8:])
    return away
