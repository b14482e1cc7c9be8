"""grpc-timeout in every unit, well written and not."""

from time import monotonic

import pytest

from tests.conformance import frames
from tests.conformance.calls import HEAD, request
from tests.conformance.peer import connected
from tests.conformance.site import TRANSPORTS, Site

BOTH = pytest.mark.parametrize("site", TRANSPORTS, indirect=True)
SOON = {"50m": 0.05, "60000u": 0.06, "70000000n": 0.07, "1n": 0.0, "0S": 0.0}
LATER = ["9H", "9M", "9S", "99999999H", "99999999S", "99999999m"]
ILL = ["", "1", "S", "1s", "1x", "-1S", "+1S", "1.5S", "123456789S", " 1S", "1S,1S", "\u0661S"]
DEADLINE_EXCEEDED = "4"


def call(timeout: str) -> bytes:
    """Return the block of a call with *timeout* to an exchange that never ends by itself."""
    pairs = [("grpc-timeout", timeout.encode()), ("x-headrace-chain", "owing")]
    return request(*pairs)


@BOTH
@pytest.mark.parametrize(("timeout", "after_s"), SOON.items(), ids=SOON)
def test_a_call_ends_at_its_deadline(site: Site, timeout: str, after_s: float) -> None:
    with connected(site.port) as peer:
        began_s = monotonic()
        peer.send(frames.headers(1, call(timeout)), frames.data(1, HEAD))
        answer = peer.answer(1)

        assert answer.grpc_status == DEADLINE_EXCEEDED or answer.reset_code is not None
        assert after_s - 0.005 <= monotonic() - began_s < after_s + 1.0
        assert peer.settle()
        assert site.emptied()


@BOTH
@pytest.mark.parametrize("timeout", LATER)
def test_a_call_before_its_deadline_is_served(site: Site, timeout: str) -> None:
    with connected(site.port) as peer:
        peer.send(frames.headers(1, request(("grpc-timeout", timeout))))
        peer.send(frames.data(1, HEAD, end=True))

        assert peer.answer(1).grpc_status == "0"


@BOTH
@pytest.mark.parametrize("timeout", ILL)
def test_an_ill_written_timeout_harms_its_own_call_at_most(site: Site, timeout: str) -> None:
    with connected(site.port) as peer:
        peer.send(frames.headers(1, call(timeout)), frames.data(1, HEAD, end=True))
        ill = peer.answer(1)
        peer.send(frames.headers(3, request()), frames.data(3, HEAD, end=True))

        assert ill.complete or ill.reset_code is not None
        assert ill.grpc_status != "0"
        assert peer.answer(3).grpc_status == "0"
