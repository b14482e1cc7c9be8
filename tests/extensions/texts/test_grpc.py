import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.apis import Api
from headrace.extensions.call import Call, CallFault, Text, parse_call
from headrace.extensions.reasons import Reason
from headrace.extensions.texts.grpc import Asked, asked, message, passages
from headrace.extensions.texts.values import Passage, Said, Unreadable

GENERATE = "/vllm.grpc.engine.VllmEngine/Generate"
EMBED = "/vllm.grpc.engine.VllmEngine/Embed"


def varint(number: int) -> bytes:
    low, number = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(number) if number else bytes([low])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def framed(data: bytes) -> bytes:
    return b"\0" + len(data).to_bytes(4) + data


def tokenized(*ids: int, packed: bool = True) -> bytes:
    if packed:
        inner = field(2, b"".join(map(varint, ids)))
    else:
        inner = b"".join(field(2, one) for one in ids)
    return field(2, field(1, b"what it stands for") + inner)


LIMITS = field(4, b"\x0d\0\0\0\0" + field(8, 300) + b"\x11" + bytes(8))
ASKED = [
    (field(1, b"id") + field(3, "é".encode()) + field(5, 1), Asked("é", stream=True)),
    (field(3, b"t") + LIMITS + field(99, b"new"), Asked("t", max_tokens=300)),
    (tokenized(1, 128, 2**32 - 1), Asked(None, (1, 128, 2**32 - 1))),
    (tokenized(1, 2, packed=False) + field(5, 0), Asked(None, (1, 2))),
    # Of a oneof, the last that is there counts.
    (field(3, b"t") + tokenized(1), Asked(None, (1,))),
    (tokenized(1) + field(3, b"t"), Asked("t")),
    (b"", Asked()),
]


@pytest.mark.parametrize(("data", "expected"), ASKED)
def test_a_message_is_read_field_by_field(data: bytes, expected: Asked) -> None:
    assert asked(Api.GRPC_GENERATE, framed(data)) == expected


def test_an_embed_has_token_ids_alone() -> None:
    assert asked(Api.GRPC_EMBED, framed(field(1, b"id") + tokenized(5))) == Asked(None, (5,))
    assert asked(Api.GRPC_EMBED, framed(field(3, b"text"))) == Asked()


def test_a_text_is_a_passage_that_cannot_be_replaced() -> None:
    body = framed(field(3, b"hello"))

    assert passages(Api.GRPC_GENERATE, body) == (
        Passage("user", Said.PROSE, "hello", (), 0, False),
    )
    assert passages(Api.GRPC_GENERATE, framed(tokenized(1))) == ()


def test_a_call_is_made_of_it_that_names_no_model() -> None:
    call = parse_call(GENERATE, "application/grpc", framed(field(3, b"hello") + field(5, 1)))

    assert isinstance(call, Call)
    assert (call.model, call.texts, call.stream) == ("", (Text("user", "hello"),), True)
    ids = parse_call(EMBED, "application/grpc+proto", framed(tokenized(7, 8)))
    assert isinstance(ids, Call)
    assert (ids.token_ids, ids.ids) == (2, b"7,8")


BAD = [
    b"",
    b"\0\0\0\0",
    b"\1\0\0\0\0",
    b"\0\0\0\0\1",
    framed(b"a") + framed(b"b"),
    framed(b"\x1a\x05abc"),
    framed(b"\x1a"),
    framed(b"\x0b"),
    framed(b"\xff" * 12),
    framed(field(3, b"\xff")),
]


@pytest.mark.parametrize("body", BAD)
def test_what_is_no_such_message_cannot_be_read(body: bytes) -> None:
    with pytest.raises(Unreadable):
        asked(Api.GRPC_GENERATE, body)
    fault = parse_call(GENERATE, "application/grpc", body)
    assert isinstance(fault, CallFault)
    assert fault.reason is Reason.INVALID_REQUEST


@pytest.mark.parametrize(
    ("content_type", "body", "reason"),
    [
        ("application/json", framed(field(3, b"t")), Reason.UNSUPPORTED_MEDIA_TYPE),
        ("application/grpc", framed(b""), Reason.INVALID_REQUEST),
    ],
)
def test_a_request_without_a_prompt_or_as_json_is_refused(
    content_type: str, body: bytes, reason: Reason
) -> None:
    fault = parse_call(GENERATE, content_type, body)

    assert isinstance(fault, CallFault)
    assert fault.reason is reason


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for body in (data, framed(data)):
        try:
            message(body)
            found = asked(Api.GRPC_GENERATE, body)
        except Unreadable:
            continue

        assert isinstance(found, Asked)
