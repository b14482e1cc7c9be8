"""A peer without a plan: good and bad frames in any order, over a real socket.

Whatever it does, the host answers only as RFC 9113 lets it (the referee reads along), keeps
serving others, and opens an exchange for nothing but a well-formed first message.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.conformance import frames
from tests.conformance.calls import HEAD, LAST, chunk, request
from tests.conformance.fields import block
from tests.conformance.frames import Flag, Kind, Setting
from tests.conformance.peer import Peer, Silent
from tests.conformance.site import Site

STREAMS = st.integers(0, 12)
ODD = st.sampled_from([1, 3, 5, 7, 9, 11])
OCTETS = st.binary(max_size=40)
BLOCKS = st.one_of(
    st.just(request()),
    st.just(request(("x-more", "v"))),
    st.just(request(("X-Upper", "v"))),
    st.just(request(path="/elsewhere")),
    st.just(request(content_type="text/plain")),
    st.just(block(("x-trailer", "v"))),
    OCTETS,
)
CONTENT = st.one_of(
    st.just(HEAD), st.just(LAST), st.just(chunk(20_000)[:16_000]), st.just(HEAD[:3]), OCTETS
)
KINDS = st.one_of(st.sampled_from(list(Kind)), st.integers(10, 255))
MALFORMED = st.tuples(KINDS, STREAMS, OCTETS, st.integers(0, 255), st.integers(-3, 60))
GOOD_SETTINGS = st.dictionaries(
    st.sampled_from([Setting.INITIAL_WINDOW_SIZE, Setting.MAX_FRAME_SIZE, Setting.ENABLE_PUSH]),
    st.integers(16_384, 70_000),
    max_size=2,
).map(lambda s: {**s, **({Setting.ENABLE_PUSH: 0} if Setting.ENABLE_PUSH in s else {})})
KNOWN = {Kind.SETTINGS, Kind.PING, Kind.GOAWAY, Kind.RST_STREAM, Kind.WINDOW_UPDATE}


class NastyPeer(RuleBasedStateMachine):
    """Mutable, of course. *decent*: nothing said so far can end the connection."""

    site: Site

    def __init__(self) -> None:
        super().__init__()
        self.peer = Peer(("127.0.0.1", self.site.port))
        self.decent = True
        self.firsts = 0  # how many streams may have become exchanges
        self.next = 1
        self.before = self.site.tally().opened

    @initialize(values=GOOD_SETTINGS)
    def greet(self, values: dict[int, int]) -> None:
        self.peer.greet(values)

    @rule(messages=st.integers(0, 3), end=st.booleans(), cut=st.integers(1, 99))
    def call(self, messages: int, end: bool, cut: int) -> None:
        """A well-formed call, its messages cut anywhere."""
        stream, self.next = self.next, self.next + 2
        data = (HEAD + chunk(30) + LAST)[: [0, len(HEAD), len(HEAD) + 40, 9999][messages]]
        pieces = [data[at : at + cut] for at in range(0, len(data), cut)]
        self.firsts += messages > 0
        self.peer.send(
            frames.headers(stream, request(), end=end and not pieces),
            *[frames.data(stream, p, end and p is pieces[-1]) for p in pieces],
        )

    @rule(stream=ODD, payload=CONTENT, end=st.booleans(), pad=st.integers(-1, 5))
    def data(self, stream: int, payload: bytes, end: bool, pad: int) -> None:
        self.decent = False
        self.firsts += 1
        self.peer.send(frames.data(stream, payload, end, pad))

    @rule(stream=STREAMS, octets=BLOCKS, end=st.booleans(), done=st.booleans())
    def headers(self, stream: int, octets: bytes, end: bool, done: bool) -> None:
        self.decent = False
        self.next = max(self.next, stream + 1 | 1)
        self.peer.send(frames.headers(stream, octets, end, done))

    @rule(stream=STREAMS, octets=BLOCKS, done=st.booleans())
    def continuation(self, stream: int, octets: bytes, done: bool) -> None:
        self.decent = False
        self.peer.send(frames.continuation(stream, octets, done))

    @rule(values=GOOD_SETTINGS)
    def settings(self, values: dict[int, int]) -> None:
        self.peer.send(frames.settings(values))

    @rule(more=st.integers(1, 1 << 20))
    def widen(self, more: int) -> None:
        self.peer.send(frames.window_update(0, more))

    @rule(stream=STREAMS, more=st.sampled_from([0, 1, 70_000, 2**31 - 1]))
    def update(self, stream: int, more: int) -> None:
        self.decent = False
        self.peer.send(frames.window_update(stream, more))

    @rule(stream=STREAMS, code=st.integers(0, 20))
    def reset(self, stream: int, code: int) -> None:
        self.decent = self.decent and stream % 2 == 1 and stream < self.next
        self.peer.send(frames.reset(stream, code))

    @rule(kind=st.integers(10, 255), stream=STREAMS, octets=OCTETS, flags=st.integers(0, 255))
    def extension(self, kind: int, stream: int, octets: bytes, flags: int) -> None:
        self.peer.send(frames.frame(kind, stream, octets, flags))

    @rule()
    def ping(self) -> None:
        self.peer.send(frames.ping())

    @rule(what=MALFORMED)
    def malformed(self, what: tuple[int, int, bytes, int, int]) -> None:
        kind, stream, octets, flags, wrong = what
        self.decent = False
        self.firsts += 1
        self.next = 1 << 20 | 1
        length = None if wrong < 0 else wrong
        self.peer.send(frames.frame(kind, stream, octets, flags, length))

    @rule(octets=st.binary(min_size=1, max_size=64))
    def garbage(self, octets: bytes) -> None:
        self.decent = False
        self.firsts += 1
        self.next = 1 << 20 | 1
        self.peer.send(octets)

    @invariant()
    def hears(self) -> None:
        """Read what has come; the referee judges it."""
        while not self.peer.closed:
            try:
                if self.peer.next(0.0005) is None:
                    return
            except Silent:
                return

    def teardown(self) -> None:
        """Look whether the host is still there for a decent peer, and for others."""
        peer = self.peer
        try:
            if self.decent:
                assert peer.settle()
                assert not peer.of(Kind.GOAWAY)
            elif peer.of(Kind.GOAWAY):
                peer.gone()
            bystander = Peer(("127.0.0.1", self.site.port))
            try:
                bystander.greet()
                call = frames.headers(1, request()), frames.data(1, HEAD, end=True)
                bystander.send(*call)
                assert bystander.answer(1).grpc_status == "0"
            finally:
                bystander.close()
            tally = self.site.tally()
            assert tally.opened - self.before <= self.firsts + 1
            assert tally.complaints == []
        finally:
            peer.close()


@pytest.mark.parametrize("site", ["native"], indirect=True)
def test_no_order_of_frames_does_harm(site: Site) -> None:
    class Here(NastyPeer):
        pass

    Here.site = site
    machine: Any = Here  # the decorator types of hypothesis know no subclass
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


@pytest.mark.parametrize("site", ["native"], indirect=True)
def test_flags_and_kinds_in_every_combination_leave_the_host_alive(site: Site) -> None:
    """All 256 flags of all ten kinds, on an open stream and on none, each on its own connection.

    Eight combinations share one, so that what the first leaves behind meets the others.
    """
    combinations = [(kind, flags) for kind in Kind for flags in range(0, 256, 5)]
    for at in range(0, len(combinations), 8):
        peer = Peer(("127.0.0.1", site.port))
        try:
            peer.greet()
            peer.send(frames.headers(1, request()), frames.data(1, HEAD))
            for kind, flags in combinations[at : at + 8]:
                peer.referee.blind = True
                peer.send(frames.frame(kind, flags % 3, bytes(8), flags & ~Flag.END_STREAM))
            peer.send(frames.ping(b"the end?"))
            peer.until(lambda f: f.payload == b"the end?" or f.kind == Kind.GOAWAY)
        finally:
            peer.close()
    assert site.tally().complaints == []
