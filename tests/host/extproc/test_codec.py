"""Messages to parts, and replies to messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.headers import value_bytes
from headrace.extensions.stage import Json
from headrace.host.exchange.part import BodyMode, Chunk, Context, Head, Modes, Part, Trailers
from headrace.host.exchange.reply import (
    BodyReply,
    ExtendTimeout,
    HeaderMutation,
    HeadersReply,
    ImmediateReply,
    Keep,
    LocalChunk,
    LocalHead,
    LocalTrailers,
    Replace,
    Streamed,
    TrailersReply,
)
from headrace.host.extproc.codec import Message, WireFault, decode, encode
from headrace.host.extproc.proto import messages as pb
from headrace.host.extproc.structs import fill, plain
from tests.host.extproc.wire import REQUEST, RESPONSE, head

FDS = BodyMode.FULL_DUPLEX_STREAMED
CHANGE = HeaderMutation((("x-a", "1", False), ("x-b", "", True)), ("x-c",))
PAIRS = (("content-type", "text/plain"), ("set-cookie", "a"), ("set-cookie", "b"))


def sent(reply: Message) -> str:
    """Return *reply* as text, on one line."""
    message = pb.ProcessingResponse.FromString(encode(reply))
    return " ".join(str(message).split())


def assert_part_or_fault(message: bytes) -> None:
    """Assert that *message* makes `decode` do nothing but what it declares."""
    try:
        found = decode(message).part
    except WireFault:
        return
    assert found is None or isinstance(found, Head | Chunk | Trailers)


def part(**oneof: object) -> Part | None:
    """Return the part that a message with this field becomes."""
    return decode(pb.ProcessingRequest(**oneof).SerializeToString()).part  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("direction", [REQUEST, RESPONSE])
def test_each_kind_of_message_becomes_the_part_of_its_direction(direction: object) -> None:
    name = "request" if direction is REQUEST else "response"
    fields = pb.HeaderMap(headers=[pb.HeaderValue(key="X-A", raw_value=b"1")])

    first = part(**{f"{name}_headers": pb.HttpHeaders(headers=fields, end_of_stream=True)})
    middle = part(**{f"{name}_body": pb.HttpBody(body=b"abc", end_of_stream=True)})
    last = part(**{f"{name}_trailers": pb.HttpTrailers(trailers=fields)})

    assert isinstance(first, Head)
    assert first.headers.pairs == (("x-a", "1"),)
    assert isinstance(last, Trailers)
    assert last.headers.pairs == (("x-a", "1"),)
    assert isinstance(middle, Chunk)
    assert middle.data == b"abc"
    assert {first.direction, middle.direction, last.direction} == {direction}
    assert first.end_of_stream
    assert middle.end_of_stream


def test_the_first_message_tells_the_modes_and_whether_to_be_silent() -> None:
    incoming = decode(head(observability_mode=True).SerializeToString())

    assert incoming.modes == Modes(FDS, FDS)
    assert incoming.observability
    assert (
        decode(pb.ProcessingRequest(request_body=pb.HttpBody()).SerializeToString()).modes is None
    )


def test_a_header_value_comes_from_raw_value_or_else_from_value() -> None:
    fields = [
        pb.HeaderValue(key="both", value="text", raw_value=b"raw"),
        pb.HeaderValue(key="text", value="text"),
        pb.HeaderValue(key="none"),
    ]
    found = part(request_headers=pb.HttpHeaders(headers=pb.HeaderMap(headers=fields)))

    assert isinstance(found, Head)
    assert found.headers.pairs == (("both", "raw"), ("text", "text"), ("none", ""))


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_arbitrary_header_bytes_survive_the_way_in_and_out(values: list[bytes]) -> None:
    fields = [pb.HeaderValue(key=f"h{i}", raw_value=v) for i, v in enumerate(values)]
    found = part(response_trailers=pb.HttpTrailers(trailers=pb.HeaderMap(headers=fields)))
    assert isinstance(found, Trailers)

    mutation = HeaderMutation(tuple((n, v, False) for n, v in found.headers))
    out = pb.ProcessingResponse.FromString(encode(TrailersReply(RESPONSE, mutation)))

    options = out.response_trailers.header_mutation.set_headers
    assert [value_bytes(v) for _, v in found.headers] == values
    assert [o.header.raw_value for o in options] == values


def test_context_is_read_only_if_there_is_some_and_someone_wants_it() -> None:
    request = head()
    fill(request.attributes["envoy.filters.http.ext_proc"], {"source.port": 80, "tls": None})
    fill(request.metadata_context.filter_metadata["envoy.lb"], {"a": [1, True, {"b": "c"}]})
    message = request.SerializeToString()

    wanted, unwanted = decode(message).part, decode(message, want_context=False).part
    without = decode(head().SerializeToString()).part

    assert isinstance(wanted, Head)
    assert wanted.context == Context(
        {"source.port": 80.0, "tls": None}, {"envoy.lb": {"a": [1.0, True, {"b": "c"}]}}
    )
    assert isinstance(unwanted, Head)
    assert unwanted.context is None
    assert isinstance(without, Head)
    assert without.context is None


@pytest.mark.parametrize("field", ["flow_control_init", "client_window_update"])
def test_a_message_of_grpc_flow_control_has_no_part(field: str) -> None:
    request = pb.ProcessingRequest()
    getattr(request, field).SetInParent()

    assert decode(request.SerializeToString()).part is None


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (b"", "without a part"),
        (b"\xa2\x06\x00", "without a part"),  # field 100: a kind of a later Envoy
        (b"\x12", "not a `ProcessingRequest`"),
        (b"\xff" * 20, "not a `ProcessingRequest`"),
        (b"\x12\x00\x5a\x02\x08\x05", "body mode 5"),
        (b"\x12\x00\x5a\x02\x10\x63", "body mode 99"),
    ],
)
def test_a_message_that_may_not_come_is_a_wire_fault(message: bytes, fault: str) -> None:
    with pytest.raises(WireFault, match=fault):
        decode(message)


@given(st.binary(max_size=200))
def test_random_bytes_are_a_part_or_a_wire_fault(message: bytes) -> None:
    assert_part_or_fault(message)


@given(st.binary(min_size=1, max_size=6), st.integers(min_value=0, max_value=200))
def test_a_damaged_message_is_a_part_or_a_wire_fault(damage: bytes, at: int) -> None:
    message = head().SerializeToString()
    assert_part_or_fault(message[:at] + damage + message[at + len(damage) :])


def test_a_header_change_says_append_in_both_ways() -> None:
    out = pb.ProcessingResponse.FromString(encode(HeadersReply(REQUEST, CHANGE, True)))
    common = out.request_headers.response
    first, second = common.header_mutation.set_headers

    assert (first.header.key, first.header.raw_value, first.header.value) == ("x-a", b"1", "")
    assert (first.append.value, first.append_action, first.keep_empty_value) == (False, 2, False)
    assert first.HasField("append")
    assert (second.append.value, second.append_action, second.keep_empty_value) == (True, 0, True)
    assert list(common.header_mutation.remove_headers) == ["x-c"]
    assert common.clear_route_cache


TABLE: list[tuple[Message, str]] = [
    (HeadersReply(REQUEST), "request_headers { response { } }"),
    (HeadersReply(RESPONSE), "response_headers { response { } }"),
    (
        HeadersReply(RESPONSE, mode_override=Modes(BodyMode.NONE, BodyMode.STREAMED)),
        "response_headers { response { } } mode_override { response_body_mode: STREAMED }",
    ),
    (
        HeadersReply(REQUEST, mode_override=Modes(FDS, FDS)),
        "request_headers { response { } } mode_override {"
        " request_body_mode: FULL_DUPLEX_STREAMED response_body_mode: FULL_DUPLEX_STREAMED"
        " request_trailer_mode: SEND response_trailer_mode: SEND }",
    ),
    (
        HeadersReply(REQUEST, body=b"all"),
        "request_headers { response { status: CONTINUE_AND_REPLACE"
        ' body_mutation { body: "all" } } }',
    ),
    (
        HeadersReply(REQUEST, body=b""),
        'request_headers { response { status: CONTINUE_AND_REPLACE body_mutation { body: "" } } }',
    ),
    (BodyReply(REQUEST, Keep()), "request_body { response { } }"),
    (BodyReply(RESPONSE, Keep()), "response_body { response { } }"),
    (
        BodyReply(RESPONSE, Replace(b"new")),
        'response_body { response { body_mutation { body: "new" } } }',
    ),
    (
        BodyReply(REQUEST, Replace(b"")),
        "request_body { response { body_mutation { clear_body: true } } }",
    ),
    (
        BodyReply(REQUEST, Streamed(b"abc")),
        'request_body { response { body_mutation { streamed_response { body: "abc" } } } }',
    ),
    (
        BodyReply(RESPONSE, Streamed(b"", True)),
        "response_body { response { body_mutation {"
        " streamed_response { end_of_stream: true } } } }",
    ),
    (
        BodyReply(REQUEST, Keep(), HeaderMutation((), ("x",)), True, {"envoy.lb": {"a": "b"}}),
        'request_body { response { header_mutation { remove_headers: "x" }'
        ' clear_route_cache: true } } dynamic_metadata { fields { key: "envoy.lb" value {'
        ' struct_value { fields { key: "a" value { string_value: "b" } } } } } }',
    ),
    (TrailersReply(REQUEST), "request_trailers { }"),
    (TrailersReply(RESPONSE), "response_trailers { }"),
    (
        TrailersReply(RESPONSE, HeaderMutation((), ("x",))),
        'response_trailers { header_mutation { remove_headers: "x" } }',
    ),
    (
        LocalHead(((":status", "200"),), True),
        "streamed_immediate_response { headers_response { headers { headers {"
        ' key: ":status" raw_value: "200" } } end_of_stream: true } }',
    ),
    (
        LocalChunk(b"x", True),
        'streamed_immediate_response { body_response { body: "x" end_of_stream: true } }',
    ),
    (LocalTrailers(()), "streamed_immediate_response { trailers_response { } }"),
    (
        ExtendTimeout(1.5),
        "override_message_timeout { seconds: 1 nanos: 500000000 }",
    ),
]


@pytest.mark.parametrize(("reply", "text"), TABLE)
def test_a_reply_is_sent_as(reply: Message, text: str) -> None:
    assert sent(reply) == text


def test_an_immediate_reply_keeps_repeated_headers() -> None:
    reply = ImmediateReply(429, PAIRS, b"no", grpc_status=8, details="shed", metadata={"n": {}})
    out = pb.ProcessingResponse.FromString(encode(reply))
    answer = out.immediate_response
    options = [
        (o.header.key, o.header.raw_value, o.append.value) for o in answer.headers.set_headers
    ]

    assert (answer.status.code, answer.body, answer.details) == (429, b"no", "shed")
    assert answer.grpc_status.status == 8
    assert "n" in out.dynamic_metadata.fields
    assert options == [
        ("content-type", b"text/plain", False),
        ("set-cookie", b"a", False),
        ("set-cookie", b"b", True),
    ]


def test_grpc_status_is_absent_unless_the_reply_has_one() -> None:
    out = pb.ProcessingResponse.FromString(encode(ImmediateReply(503)))

    assert not out.immediate_response.HasField("grpc_status")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_json_values_survive_a_struct(values: dict[str, Json]) -> None:
    struct = pb.Struct()
    fill(struct, values)

    assert plain(pb.Struct.FromString(struct.SerializeToString())) == values


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError, match="`object`"):
        fill(pb.Struct(), {"a": object()})
