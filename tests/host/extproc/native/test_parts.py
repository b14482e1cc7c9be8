"""The small parts: messages, field blocks of ours, deadlines, methods."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from sys import getrefcount
from typing import cast
from urllib.parse import unquote

import pytest
from hpack import Decoder
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.host.extproc.native import blocks
from headrace.host.extproc.native.deadlines import SWEPT_ABOVE, Deadlines, timeout_s
from headrace.host.extproc.native.fields import RequestHead
from headrace.host.extproc.native.frames import PREFIX
from headrace.host.extproc.native.messages import Assembler
from headrace.host.extproc.native.router import NOT_GRPC, NOT_POST, UNKNOWN, Method, route
from tests.host.extproc.native.speech import PROCESS, message


def unpacked(block: bytes) -> dict[str, str]:
    """Return the fields of *block* as any decoder reads them."""
    fields = cast("Iterable[tuple[str, str]]", Decoder().decode(block))
    return {name: value for name, value in fields}  # noqa: C416 - tuples of hpack's own kind


@given(st.lists(st.binary(max_size=50), max_size=8), st.data())
@settings(deadline=None)
def test_messages_come_out_as_they_went_in_however_they_are_cut(
    messages: list[bytes], chance: st.DataObject
) -> None:
    octets = b"".join(message(one) for one in messages)
    cuts = chance.draw(st.lists(st.integers(0, len(octets)), max_size=9).map(sorted))
    edges, assembler = [0, *cuts, len(octets)], Assembler(50, b"")

    got = [m for a, b in pairwise(edges) for m in assembler.feed(octets[a:b])]

    assert got == messages
    assert (assembler.held_bytes, assembler.refusal) == (0, None)


@pytest.mark.parametrize(
    ("prefix", "encoding", "code"),
    [
        (PREFIX.pack(0, 11), b"", "RESOURCE_EXHAUSTED"),
        (PREFIX.pack(0, 2**32 - 1), b"", "RESOURCE_EXHAUSTED"),
        (PREFIX.pack(1, 3), b"gzip", "UNIMPLEMENTED"),
        (PREFIX.pack(1, 3), b"", "INTERNAL"),
        (PREFIX.pack(1, 3), b"identity", "INTERNAL"),
        (PREFIX.pack(2, 3), b"gzip", "INTERNAL"),
    ],
)
def test_a_message_that_is_not_taken_is_told_from_its_prefix(
    prefix: bytes, encoding: bytes, code: str
) -> None:
    assembler = Assembler(10, encoding)

    assert assembler.feed(message(b"before") + prefix) == [b"before"]
    assert assembler.refusal is not None
    assert assembler.refusal.code == code
    assert assembler.held_bytes == 0
    assert assembler.feed(message(b"after")) == []


def test_fields_of_ours_are_read_by_any_decoder() -> None:
    long = "x" * 1000

    assert unpacked(blocks.HEAD) == {":status": "200", "content-type": "application/grpc"}
    assert unpacked(blocks.OK_TRAILERS) == {"grpc-status": "0"}
    assert unpacked(blocks.trailers("UNAVAILABLE", long)) == {
        "grpc-status": "14",
        "grpc-message": long,
    }
    assert unpacked(blocks.trailers_only("INTERNAL", "", (("a", "b"),), 400)) == {
        ":status": "400",
        "content-type": "application/grpc",
        "grpc-status": "13",
        "a": "b",
    }
    assert unpacked(blocks.http_only(405, (("allow", "POST"),))) == {
        ":status": "405",
        "allow": "POST",
    }


@given(st.text())
@settings(deadline=None)
def test_a_status_message_is_printable_ascii_that_decodes_to_itself(text: str) -> None:
    encoded = blocks.percent(text)

    assert all(" " <= letter <= "~" for letter in encoded)
    assert encoded == encoded.strip()
    assert unquote(encoded) == text[:1024].strip()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"1H", 3600.0),
        (b"2M", 120.0),
        (b"3S", 3.0),
        (b"40m", 0.04),
        (b"5u", 5e-6),
        (b"6n", 6e-9),
        (b"99999999H", 99_999_999 * 3600.0),
        (b"", None),
        (b"1", None),
        (b"1s", None),
        (b"-1S", None),
        (b"123456789S", None),
        (b"1S ", None),
    ],
)
def test_a_timeout_is_read_in_all_its_units(value: bytes, seconds: float | None) -> None:
    assert timeout_s(value) == (None if seconds is None else pytest.approx(seconds))


@dataclass(slots=True)
class Mortal:
    """Something with a deadline."""

    name: str
    expired: list[str]

    def expire(self) -> None:
        self.expired.append(self.name)


def test_deadlines_come_in_order_and_not_for_what_is_over() -> None:
    deadlines, expired = Deadlines(), list[str]()
    for due_s, name in ((3.0, "second"), (1.0, "lifted"), (2.0, "first")):
        deadline = deadlines.add(due_s, Mortal(name, expired))
        if name == "lifted":
            deadline.lift()

    assert deadlines.next_s == 2.0
    deadlines.expire(2.5)
    assert expired == ["first"]
    deadlines.expire(9.0)
    assert expired == ["first", "second"]
    assert deadlines.next_s is None


def test_deadlines_that_are_lifted_keep_nothing_and_do_not_pile_up() -> None:
    deadlines, expired = Deadlines(), list[str]()
    for _ in range(20 * SWEPT_ABOVE):
        mortal = Mortal("x", expired)
        known = getrefcount(mortal)
        deadlines.add(1e9, mortal).lift()
        assert getrefcount(mortal) == known

    assert len(deadlines) <= SWEPT_ABOVE + 1


GRPC = {b"content-type": b"application/grpc"}


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (RequestHead(b"POST", PROCESS.encode(), GRPC), Method.PROCESS),
        (RequestHead(b"POST", b"/grpc.health.v1.Health/Watch", GRPC), Method.WATCH),
        (RequestHead(b"POST", b"/x/y", GRPC), UNKNOWN),
        (RequestHead(b"GET", PROCESS.encode(), GRPC), NOT_POST),
        (RequestHead(b"POST", PROCESS.encode(), {}), NOT_GRPC),
        (RequestHead(b"POST", PROCESS.encode(), {b"content-type": b"application/json"}), NOT_GRPC),
        (RequestHead(b"POST", PROCESS.encode(), {b"content-type": b"application/grpcx"}), NOT_GRPC),
        (
            RequestHead(b"POST", PROCESS.encode(), {b"content-type": b"application/grpc+proto"}),
            Method.PROCESS,
        ),
    ],
)
def test_a_stream_is_for_a_method_or_refused(head: RequestHead, expected: object) -> None:
    assert route(head) == expected
