"""Nothing malformed reaches a stage: of whatever a peer sends, a stage sees the sound beginning.

Broken frames, broken gRPC, broken protobuf and phases out of order, on several streams, cut
anywhere. What a stage saw is compared with a model that knows neither HTTP/2 nor our exchange.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.host.exchange.exchange import Exchange
from headrace.host.exchange.limits import Limits
from headrace.host.exchange.part import Modes
from headrace.host.exchange.plan import Plan
from headrace.host.extproc.native import frames as f
from headrace.host.extproc.native.server import NativeServer
from headrace.host.extproc.native.wire import Wire
from headrace.host.extproc.opening import Opening
from headrace.host.extproc.options import GrpcOptions
from headrace.host.extproc.proto import messages as pb
from headrace.host.extproc.session import CHAIN_METADATA
from tests.host.exchange.stages import ALL, Script
from tests.host.extproc.native.speech import (
    HELLO,
    REQUEST,
    SETTINGS_ACK,
    block,
    data,
    headers,
    message,
)

STREAMS = (1, 3, 5)
MESSAGE_BYTES_MAX = 4096
EVENT = b"data: 1\n\n"


@dataclass(slots=True)
class Seen:
    """What the stages saw, by the stream that said it."""

    logs: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict[str, list[tuple[Any, ...]]])
    bugs: list[str] = field(default_factory=list[str])

    def open(self, opening: Opening, now_s: float) -> Exchange:
        """Serve as the factory: each exchange has a stage of its own, which looks at all."""
        assert opening.chain not in self.logs, "a stream is one exchange"
        stage = Script(needs=ALL)
        self.logs[opening.chain] = stage.log
        plan = Plan(opening.chain, (stage,), Limits(), lambda _: (), ALL, clock=lambda: 0.0)
        return Exchange(plan, opening.modes or Modes(), opening.chain, "", now_s)


class Deaf:
    """A transport whose peer takes everything and is never heard of again."""

    def write(self, octets: bytes) -> None: ...

    def set_write_buffer_limits(self, high: int) -> None: ...

    def get_extra_info(self, name: str) -> None: ...

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0


# What one stream may say in one message: (direction, phase, data, end), and how it is sent.
Said = tuple[str, str, bytes, bool]
Step = tuple[str, int, Any]  # kind, stream, what: Said, octets, or octets of a stream
SOUND: st.SearchStrategy[Said] = st.one_of(
    st.tuples(
        st.sampled_from(["request", "response"]),
        st.just("headers"),
        st.just(b""),
        st.booleans(),
    ),
    st.tuples(
        st.sampled_from(["request", "response"]),
        st.just("body"),
        st.sampled_from([b"", b"x", EVENT, b"z" * 300]),
        st.booleans(),
    ),
    st.tuples(
        st.sampled_from(["request", "response"]), st.just("trailers"), st.just(b""), st.just(True)
    ),
)
USUAL: tuple[Said, ...] = (
    ("request", "headers", b"", False),
    ("request", "body", b"x", True),
    ("response", "headers", b"", False),
    ("response", "body", EVENT, False),
    ("response", "body", b"", True),
)


def part(said: Said) -> bytes:
    """Return what is said as a ProcessingRequest."""
    direction, phase, body, end = said
    if phase == "body":
        content: object = pb.HttpBody(body=body, end_of_stream=end)
    elif phase == "trailers":
        content = pb.HttpTrailers()
    else:
        name, value = (":method", "POST") if direction == "request" else (":status", "200")
        kind = pb.HeaderValue(key="content-type", raw_value=b"text/event-stream")
        first = pb.HeaderValue(key=name, raw_value=value.encode())
        content = pb.HttpHeaders(headers=pb.HeaderMap(headers=[first, kind]), end_of_stream=end)
    fields = cast(Any, {f"{direction}_{phase}": content})
    return pb.ProcessingRequest(**fields).SerializeToString()


NO_MESSAGE = st.sampled_from(
    [b"", b"\xff", b"\x12\x05ab", b"\x5a\x02\x08\x09", b"\x22\x02\x0a\x09"]
).map(message)
FIRST, LARGE = part(USUAL[0]), part(("request", "body", bytes(MESSAGE_BYTES_MAX), True))
# Sound messages, in what is no gRPC.
NO_GRPC = st.sampled_from(
    [f.PREFIX.pack(flag, len(FIRST)) + FIRST for flag in (1, 2, 255)] + [message(LARGE)]
)
TRAILERS = block((("x-trailer", "v"),))
# What ends a stream: by our reset, behind which more may be on its way, or by the peer.
OfStream = Callable[[int], bytes]
FAULTS: tuple[OfStream, ...] = (
    lambda n: f.window_update(n, 0),
    lambda n: headers(n, octets=TRAILERS),
)
LEAVES: tuple[OfStream, ...] = (
    lambda n: f.rst_stream(n, 8),
    lambda n: data(n, b"\0", True),
    lambda n: data(n, b"", True),
    lambda n: headers(n, octets=TRAILERS, end=True),
)
ENDS_ALL = st.sampled_from(
    [
        f.frame(f.PING, 0, 0, b"short"),
        data(0, b"x"),
        headers(7, octets=b"\xff" * 9),
        f.frame(f.PUSH_PROMISE, 4, 1, bytes(4)),
        f.frame(f.DATA, 8, 1, b"\xff\x00"),
        b"\x7f" * 40,
    ]
)
# Each would be a sound request but for the last field.
MALFORMED = st.sampled_from(
    [("X-Upper", "v"), ("connection", "close"), ("te", "gzip"), (":scheme", "http"), ("a", "b\n")]
)
NOISE: tuple[Step, ...] = (
    ("say", 3, ("response", "body", EVENT, False)),
    ("say", 3, ("request", "headers", b"", False)),
    ("mumble", 3, message(b"\xff")),
    ("mumble", 5, b"\x07\x00\x00\x00\x00"),
    ("leave", 5, LEAVES[0]),
    ("fault", 5, FAULTS[0]),
)
STEP = st.one_of(
    st.tuples(st.just("say"), SOUND),
    st.tuples(st.just("mumble"), NO_MESSAGE | NO_GRPC),
    st.tuples(st.just("fault"), st.sampled_from(FAULTS)),
    st.tuples(st.just("leave"), st.sampled_from(LEAVES)),
)


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """Draw three usual exchanges in turns, each spoiled at a place or two, or at none."""
    lanes: dict[int, list[tuple[str, Any]]] = {}
    for number in STREAMS:
        lane: list[tuple[str, Any]] = [("say", said) for said in USUAL]
        lanes[number] = lane
        for at in draw(st.lists(st.integers(0, len(USUAL)), max_size=2)):
            lane.insert(at, draw(STEP))
    turns = draw(st.permutations([n for n in STREAMS for _ in lanes[n]]))
    mixed = [(kind, n, what) for n in turns for kind, what in [lanes[n].pop(0)]]
    broken = draw(st.integers(0, 3 * len(mixed)))
    if broken < len(mixed):
        mixed.insert(broken, ("break", 0, draw(ENDS_ALL)))
    return mixed


ENDS = ("ended", "closed")


@dataclass(slots=True)
class Model:
    """What one stream has said that a stage may know of."""

    sound: list[Said] = field(default_factory=list[Said])
    over: bool = False
    stands: dict[str, str] = field(default_factory=lambda: {"request": "new", "response": "new"})

    def say(self, said: Said) -> None:
        """Take one message, which may be out of order."""
        if self.over:
            return
        direction, phase, _, end = said
        stand = self.stands[direction]
        if stand == "closed" or (stand == "body" and phase == "headers"):
            self.over = True
        elif stand == "ended":
            self.over = phase != "body"  # a last piece may come twice, and is not looked at
        else:
            self.sound.append(said)
            ended = "closed" if phase == "trailers" else "ended"
            self.stands[direction] = ended if end else "body"

    def body(self, direction: str) -> bytes:
        """Return what has come of the body of one direction."""
        return b"".join(one[2] for one in self.sound if one[0] == direction)


def opening(number: int, *more: tuple[str, str]) -> bytes:
    """Return the HEADERS of a stream, by whose chain its exchange is known, with *more* fields."""
    return headers(number, octets=block((*REQUEST, (CHAIN_METADATA, str(number)), *more)))


def written(
    steps: list[Step], malformed: int, bad: tuple[str, str]
) -> tuple[bytes, dict[int, Model]]:
    """Return *steps* as octets, and a model of each stream; *malformed* begins with *bad*."""
    octets, models = bytearray(HELLO + SETTINGS_ACK), dict[int, Model]()
    for number in STREAMS:
        octets += opening(number, bad) if number == malformed else opening(number)
        models[number] = Model(over=number == malformed)
    ended: set[int] = set()
    for kind, number, what in steps:
        if kind == "break":
            octets += what
            for model in models.values():
                model.over = True
        elif number not in ended:  # more would be the connection's fault, sooner or later
            model = models[number]
            if kind == "say":
                octets += data(number, message(part(what)))
                model.say(what)
                continue
            model.over = True
            octets += data(number, what) if kind == "mumble" else what(number)
            if kind == "leave":
                ended.add(number)
    return bytes(octets), models


def pieces(octets: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = sorted({0, len(octets), *(cut % (len(octets) + 1) for cut in cuts)})
    for at in range(len(edges) - 1):
        yield octets[edges[at] : edges[at + 1]]


def _stays(wire: Wire) -> bool:
    return True


async def live(octets: bytes, cuts: list[int]) -> Seen:
    """Let a server live through *octets*, and return what its stages saw."""
    seen = Seen()
    server = NativeServer(seen.open, options=GrpcOptions(message_bytes_max=MESSAGE_BYTES_MAX))
    site = server._site  # pyright: ignore[reportPrivateUsage]
    wire = Wire(replace(site, made=_stays, bug=seen.bugs.append))
    wire.connection_made(cast(Any, Deaf()))
    for piece in pieces(octets, cuts):
        wire.data_received(piece)
    await asyncio.sleep(0)
    wire.connection_lost(None)

    assert seen.bugs == []
    assert server.active_exchanges == 0
    return seen


def check(log: list[tuple[Any, ...]], model: Model) -> None:
    """Assert that *log* is what a stage is to see of what *model* says was sound."""
    words = [call[0] for call in log]
    asked = model.stands["request"] in ENDS
    answered = ("response", "headers") in [said[:2] for said in model.sound]
    events = [call for call in log if call[0] == "event"]

    assert (words.count("over"), words[-1]) == (1, "over")
    assert [call[1] for call in log if call[0] == "request"] in (
        [[model.body("request")], [None]] if asked else [[]]
    )
    assert words.count("head") == answered
    assert words.count("end") <= (model.stands["response"] in ENDS)
    assert len(events) <= model.body("response").count(b"\n\n") + 1
    assert [word for word in words if word != "request"] == sorted(
        (word for word in words if word != "request"), key=["head", "event", "end", "over"].index
    )


@settings(deadline=None, max_examples=300)
@given(
    steps=steps(),
    malformed=st.sampled_from([0, *STREAMS]),
    bad=MALFORMED,
    cuts=st.lists(st.integers(0, 1 << 14), max_size=12),
)
def test_a_stage_sees_the_sound_beginning_of_its_stream_and_nothing_else(
    steps: list[Step], malformed: int, bad: tuple[str, str], cuts: list[int]
) -> None:
    octets, models = written(steps, malformed, bad)
    seen = asyncio.run(live(octets, cuts))

    assert set(seen.logs) == {str(number) for number, model in models.items() if model.sound}
    for number, model in models.items():
        if model.sound:
            check(seen.logs[str(number)], model)


@pytest.mark.parametrize("noise", range(len(NOISE)))
def test_the_usual_exchange_is_seen_whole_beside_every_kind_of_noise(noise: int) -> None:
    steps: list[Step] = []
    for said in USUAL:
        steps += [("say", 1, said), NOISE[noise]]
    octets, _ = written(steps, 0, ("", ""))
    seen = asyncio.run(live(octets, [7, 99, 150, 400]))

    assert seen.logs["1"] == [
        ("request", b"x"),
        ("head", 200, False),
        ("event", b"1"),
        ("end", b"", False),
        ("over", "complete"),
    ]
