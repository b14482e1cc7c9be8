"""What a plan that does as the reference adds: nothing is lost by it, and nothing doubled."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.extensions.headers import Headers
from headrace.extensions.stage import Needs
from headrace.host.exchange.exchange import Exchange
from headrace.host.exchange.limits import Limits
from headrace.host.exchange.part import Chunk, Direction, Head, Modes, Trailers
from headrace.host.exchange.plan import Plan
from headrace.host.exchange.reply import BodyReply, HeadersReply, Output, Streamed, TrailersReply
from headrace.host.exchange.response_side import GATHERED_BYTES_MAX

REQUEST, RESPONSE = Direction.REQUEST, Direction.RESPONSE
JSON = Headers([(":status", "200"), ("content-type", "application/json; charset=utf-8")])


def opened() -> Exchange:
    """Return an exchange without stages, by a plan that does as the reference."""
    plan = Plan(
        "default", (), Limits(), lambda headers: (), Needs(), lambda: 0.0, as_reference=True
    )
    return Exchange(plan, Modes(), "id-1", "", 0.0)


def pieces(outputs: list[Output]) -> list[Streamed]:
    """Return the body replies among *outputs*, all of which must be streamed ones."""
    bodies = [o.body for o in outputs if isinstance(o, BodyReply)]
    return [b for b in bodies if isinstance(b, Streamed)]


@settings(max_examples=60, deadline=None)
@given(
    size=st.sampled_from([0, 1, 61_999, 62_000, 62_001, GATHERED_BYTES_MAX, GATHERED_BYTES_MAX + 1])
    | st.integers(0, GATHERED_BYTES_MAX + 200_000),
    cuts=st.lists(st.integers(0, GATHERED_BYTES_MAX + 200_000), max_size=5),
    trailers=st.booleans(),
)
def test_a_json_body_arrives_as_it_was_sent_and_ends_once(
    size: int, cuts: list[int], trailers: bool
) -> None:
    body = bytes(at % 251 for at in range(size))
    exchange = opened()
    outputs = exchange.receive(Head(RESPONSE, JSON), 0.0)
    edges = sorted({0, size, *(cut for cut in cuts if cut < size)})
    chunks = [body[a:b] for a, b in pairwise(edges)] or [b""]
    for at, data in enumerate(chunks):
        last = at == len(chunks) - 1 and not trailers
        outputs += exchange.receive(Chunk(RESPONSE, data, last), 0.0)
    if trailers:
        outputs += exchange.receive(Trailers(RESPONSE, Headers()), 0.0)
    streamed = pieces(outputs)

    assert b"".join(p.data for p in streamed) == body
    assert all(len(p.data) <= 62_000 for p in streamed)
    assert [p.end_of_stream for p in streamed].count(True) == (not trailers)
    assert not any(p.end_of_stream for p in streamed[:-1])
    assert isinstance(outputs[0], HeadersReply)
    assert isinstance(outputs[-1], TrailersReply) is trailers
    assert exchange.closed


def test_bytes_that_are_kept_are_owed() -> None:
    exchange = opened()
    exchange.receive(Head(RESPONSE, JSON), 0.0)
    before = exchange.closed
    sent = exchange.receive(Chunk(RESPONSE, b"{"), 0.0)

    assert before
    assert not sent
    assert not exchange.closed


@pytest.mark.parametrize("name", ["", "r-1"])
def test_only_a_request_without_a_name_is_given_one(name: str) -> None:
    pairs = [(":method", "GET"), (":path", "/x"), *([("x-request-id", name)] if name else [])]
    (reply,) = opened().receive(Head(REQUEST, Headers(pairs), True), 0.0)

    assert isinstance(reply, HeadersReply)
    assert reply.mutation.set_headers == (() if name else (("x-request-id", "id-1", False),))
