"""Events are the same however the bytes are cut, and their bytes are kept exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.host.exchange.event_stream import EventSplitter

STREAMS = st.lists(
    st.sampled_from(
        [b"data: a", b"data:b", b"data", b": c", b"event: e", b"\n", b"\r\n", b"\r", b"\n\n", b""]
    ),
    max_size=14,
).map(b"".join)


def split(body: bytes, size: int) -> list[tuple[bytes, bytes]]:
    splitter = EventSplitter()
    events = [
        event for at in range(0, len(body), size) for event in splitter.push(body[at : at + size])
    ]
    return [(event.raw, event.data) for event in (*events, *splitter.finish())]


@given(STREAMS, st.integers(1, 5))
def test_cutting_does_not_matter(body: bytes, size: int) -> None:
    assert split(body, size) == split(body, max(1, len(body)))


@given(STREAMS, st.integers(1, 5))
def test_no_byte_is_lost(body: bytes, size: int) -> None:
    assert b"".join(raw for raw, _ in split(body, size)) == body


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"data: x\n\n", [b"x"]),
        (b"data:x\r\n\r\n", [b"x"]),
        (b"data: x\rdata: y\r\rdata: z\n\n", [b"x\ny", b"z"]),
        (b"event: e\ndata: x\n\n: comment\n\n", [b"x", b""]),
        (b"data: [DONE]", [b"[DONE]"]),
        (b"data\n\n", [b""]),
        (b"data:  two\n\n", [b" two"]),
    ],
)
def test_data_is_the_joined_data_lines(body: bytes, data: list[bytes]) -> None:
    assert [d for _, d in split(body, 100)] == data
