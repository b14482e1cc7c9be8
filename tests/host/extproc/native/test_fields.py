"""Field sections: what a request may begin with, and that remembering one changes nothing."""

import pytest
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.host.extproc.native.faults import ConnectionFault, Refusal
from headrace.host.extproc.native.fields import FieldReader, RequestHead
from headrace.host.extproc.native.frames import ErrorCode
from tests.host.extproc.native.speech import PROCESS, REQUEST, block

LIST_BYTES_MAX = 10_000


def read(*fields: tuple[str, str]) -> RequestHead:
    """Return what *fields* are taken for."""
    return FieldReader(LIST_BYTES_MAX).request(block(fields))


def without(name: str) -> list[tuple[str, str]]:
    """Return a sound request without one of its fields."""
    return [field for field in REQUEST if field[0] != name]


def test_a_sound_request_is_taken_apart() -> None:
    head = read(*REQUEST, ("x-a", "1"), ("x-a", "2"), ("content-length", "7"))

    assert (head.method, head.path, head.malformed) == (b"POST", PROCESS.encode(), "")
    assert head.fields[b"x-a"] == b"2"
    assert head.content_length == 7
    named = (*REQUEST, ("x-a", "1"), ("x-a", "2"), ("content-length", "7"))
    assert head.size_bytes == sum(len(name) + len(value) + 32 for name, value in named)


MALFORMED: dict[str, list[tuple[str, str]]] = {
    "no method": without(":method"),
    "no scheme": without(":scheme"),
    "no path": without(":path"),
    "empty path": [*without(":path"), (":path", "")][-1:] + without(":path"),
    "path is a name": [(":path", "x"), *without(":path")],
    "asterisk of POST": [(":path", "*"), *without(":path")],
    "twice": [(":method", "POST"), *REQUEST],
    "unknown pseudo-header": [(":status", "200"), *REQUEST],
    "pseudo-header last": [*without(":path"), (":path", "/")],
    "NUL in a pseudo-header": [(":authority", "a\0b"), *without(":authority")],
    "upper case": [*REQUEST, ("X-a", "b")],
    "space in a name": [*REQUEST, ("x a", "b")],
    "colon in a name": [*REQUEST, ("x:a", "b")],
    "empty name": [*REQUEST, ("", "b")],
    "newline in a value": [*REQUEST, ("x", "a\nb")],
    "space before a value": [*REQUEST, ("x", " a")],
    "tab after a value": [*REQUEST, ("x", "a\t")],
    "connection": [*REQUEST, ("connection", "close")],
    "transfer-encoding": [*REQUEST, ("transfer-encoding", "chunked")],
    "te is not trailers": [*without("te"), ("te", "gzip")],
    "host is another": [*REQUEST, ("host", "other")],
    "two lengths": [*REQUEST, ("content-length", "1"), ("content-length", "2")],
    "negative length": [*REQUEST, ("content-length", "-1")],
    "endless length": [*REQUEST, ("content-length", "9" * 19)],
    "CONNECT with a path": [(":method", "CONNECT"), *without(":method")],
    "CONNECT to nowhere": [(":method", "CONNECT")],
}
ODD: dict[str, list[tuple[str, str]]] = {
    "CONNECT": [(":method", "CONNECT"), (":authority", "a:1")],
    "OPTIONS *": [(":method", "OPTIONS"), (":scheme", "http"), (":path", "*")],
    "no authority, any host": [*without(":authority"), ("host", "any")],
    "host is the authority": [*REQUEST, ("host", "host")],
    "the same length twice": [*REQUEST, ("content-length", "1"), ("content-length", "1")],
    "empty value": [*REQUEST, ("x", "")],
    "te in capitals": [*without("te"), ("te", "Trailers")],
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_section_8_forbids_is_malformed(case: str) -> None:
    assert read(*MALFORMED[case]).malformed


@pytest.mark.parametrize("case", ODD)
def test_what_section_8_allows_is_sound(case: str) -> None:
    assert not read(*ODD[case]).malformed


def test_trailers_have_no_pseudo_headers() -> None:
    reader = FieldReader(LIST_BYTES_MAX)

    assert reader.trailers(block([("x-a", "b")])) == ""
    assert reader.trailers(block([(":path", "/")]))


@pytest.mark.parametrize(
    "octets", [b"\x80", b"\xff\xff", b"\x40", b"\x3f\xff\xff\x03", b"\x00\x81\xff"]
)
def test_what_is_no_hpack_is_a_compression_error(octets: bytes) -> None:
    with pytest.raises(ConnectionFault) as fault:
        FieldReader(LIST_BYTES_MAX).request(octets)
    assert fault.value.code is ErrorCode.COMPRESSION_ERROR


def test_a_list_too_long_is_refused() -> None:
    with pytest.raises(ConnectionFault) as fault:
        FieldReader(100).request(block())
    assert fault.value.refusal is Refusal.HEADERS


NAMES = st.sampled_from(["x-a", "x-b", "x-request-id", "traceparent", "grpc-timeout"])
EXTRA = st.lists(st.tuples(NAMES, st.sampled_from(["1", "22", "a" * 60])), max_size=4)


@given(st.lists(EXTRA, max_size=20), st.sampled_from([0, 100, 4096]), st.booleans())
@settings(deadline=None)
def test_what_is_remembered_is_what_would_be_read(
    requests: list[list[tuple[str, str]]], table_bytes: int, huffman: bool
) -> None:
    encoder, reader = Encoder(), FieldReader(LIST_BYTES_MAX)
    encoder.header_table_size = table_bytes
    for extra in requests:
        for _ in range(3):  # the second time, all of it is in the table
            octets = encoder.encode([*REQUEST, *extra], huffman=huffman)
            assert reader.request(octets) == read(*REQUEST, *extra)


def test_what_envoy_repeats_is_read_once() -> None:
    encoder, reader = Encoder(), FieldReader(LIST_BYTES_MAX)
    reader.request(encoder.encode(REQUEST))
    octets = encoder.encode(REQUEST)

    assert reader.request(octets) is reader.request(octets)


def test_what_is_remembered_is_bounded() -> None:
    encoder, reader = Encoder(), FieldReader(LIST_BYTES_MAX)
    for number in range(1000):
        fields = [(name, value, True) for name, value in (*REQUEST, ("x", str(number)))]
        assert reader.request(encoder.encode(fields)).fields[b"x"] == str(number).encode()

    assert reader.remembered <= 64
