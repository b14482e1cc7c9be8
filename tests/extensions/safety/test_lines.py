"""Lines of an event that are no data go on only if they can say nothing."""

import pytest

from headrace.extensions.safety.lines import with_data, without_unread
from headrace.host.exchange.event_stream import read_event


@pytest.mark.parametrize(
    "raw",
    [
        b"data: {}\n\n",
        b"data:{}\r\n\r\n",
        b"event: response.output_text.delta\ndata: {}\n\n",
        b"id: 12\nretry: 3000\ndata: {}\ndata: {}\n\n",
        b": ping\n\n",
        b":\n\n",
        b"\n\n",
        b"\xef\xbb\xbfdata: {}\n\n",
    ],
)
def test_what_says_nothing_stays_byte_by_byte(raw: bytes) -> None:
    assert without_unread(raw, read_event(raw).data) is raw


@pytest.mark.parametrize(
    ("raw", "left"),
    [
        (b": a secret\r\n\r\n", b""),
        (b"event: a secret\ndata: {}\n\n", b"data: {}\n\n"),
        (b"data: {}\nid: S-1\n\n", b"data: {}\n\n"),
        (b"secret: x\rdata: {}\r\r", b"data: {}\r\r"),
        (b"event: %b\ndata: {}\n\n" % (b"a" * 99), b"data: {}\n\n"),
        (b"data: {}\nS", b"data: {}\n"),
        (b"datas: x\n\n", b""),
    ],
)
def test_what_might_say_something_is_left_out(raw: bytes, left: bytes) -> None:
    assert without_unread(raw, read_event(raw).data) == left


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"\xef\xbb\xbfdata: {1}\n\n", b"data: {2}\n\n"),
        (b"event: a\ndata:{\ndata\ndata:1}\n\n", b"event: a\ndata: {2}\n\n"),
    ],
)
def test_other_data_takes_the_place_of_all_that_was_there(raw: bytes, told: bytes) -> None:
    assert with_data(raw, b"{2}") == told
