"""A server that wants a client to read what a guard blocks: as what else it can be read."""

import gzip
import json
from dataclasses import replace

import pytest
import zstandard

from headrace.dsl.guarding import OnMatch
from tests.extensions.safety.hostile import (
    JSON,
    SECRET,
    SSE,
    Pairs,
    answered,
    blocks,
    called,
    delta,
    event,
)

SAYS = json.dumps({"choices": [{"index": 0, "message": {"content": SECRET}}]}).encode()
PLAIN = json.dumps({"choices": [{"index": 0, "message": {"content": "hi"}}]}).encode()
ZIPPED = gzip.compress(SAYS)
UTF_7 = "+ADAANAA1ADEALQBBAEwAUABIAEE-"
TEXT = (("content-type", "text/plain"),)


def coded(*names: str) -> Pairs:
    return (*JSON, *(("content-encoding", name) for name in names))


def charset(name: str, media: str = "application/json") -> Pairs:
    return (("content-type", f"{media}; charset={name}"),)


def message(fields: str) -> bytes:
    return b'{"choices":[{"index":0,"message":{%b}}]}' % fields.encode()


WHOLE: tuple[tuple[str, int, Pairs, bytes], ...] = (
    ("plain", 200, JSON, SAYS),
    ("as an error", 500, JSON, SAYS),
    ("in the first of two", 200, JSON, message(f'"content":"{SECRET}","content":"hi"')),
    ("spelt otherwise", 200, JSON, message(f'"c\\u006fntent":"{SECRET}","content":"hi"')),
    ("in the first of two of an error", 500, JSON, b'{"e":"%b","e":""}' % SECRET.encode()),
    ("in a name", 200, JSON, message(f'"content":"hi","{SECRET}":1')),
    ("in a name within", 200, JSON, message(f'"content":"hi","x":[{{"{SECRET}":1}}]')),
    ("in a name of an error", 500, JSON, b'{"x":{"%b":1}}' % SECRET.encode()),
    ("in UTF-16", 200, charset("utf-16"), SAYS.decode().encode("utf-16")),
    ("in UTF-16 of an error", 500, charset("utf-16"), SAYS.decode().encode("utf-16-le")),
    ("in UTF-16 that nobody declares", 500, JSON, SAYS.decode().encode("utf-16-le")),
    ("in UTF-16 with its mark", 503, TEXT, SECRET.encode("utf-16")),
    ("in UTF-7", 200, charset("utf-7"), message(f'"content":"{UTF_7}"')),
    ("in UTF-7 in quotes", 200, charset('"UTF-7"'), message(f'"content":"{UTF_7}"')),
    ("in UTF-7, said second", 200, (*JSON, *charset("utf-7")), message(f'"content":"{UTF_7}"')),
    ("in lines of JSON", 500, TEXT, b'{"a":"0451\\u002dALPHA"}\n{}\n'),
    ("in JSON with a comma too much", 500, TEXT, b'{"a":"0451\\u002dALPHA",}'),
    ("zipped twice, as one field says", 200, coded("gzip, gzip"), gzip.compress(ZIPPED)),
    ("zipped twice, as two say", 200, coded("gzip", "gzip"), gzip.compress(ZIPPED)),
    ("zipped, as the second says", 200, coded("identity", "gzip"), gzip.compress(SAYS)),
    ("zipped, as the second says, behind nothing", 500, coded("", "gzip"), gzip.compress(SAYS)),
    ("in two members", 200, coded("gzip"), gzip.compress(SAYS[:30]) + gzip.compress(SAYS[30:])),
    ("behind the end of gzip", 200, coded("gzip"), gzip.compress(PLAIN) + SAYS),
    ("zipped and unsaid", 200, JSON, gzip.compress(SAYS)),
    ("zipped, unsaid, as an error", 500, JSON, gzip.compress(SAYS)),
    ("not zipped and said so", 200, coded("gzip"), SAYS),
)  # fmt: skip


@pytest.mark.parametrize(
    ("status", "fields", "body"), [c[1:] for c in WHOLE], ids=[c[0] for c in WHOLE]
)
def test_no_client_can_read_it_in_a_whole_answer(status: int, fields: Pairs, body: bytes) -> None:
    got = answered(body, fields, status)

    assert got.refused
    assert not got.tells


@pytest.mark.parametrize("first", [PLAIN, b""], ids=["behind an answer", "behind nothing"])
def test_a_frame_of_zstd_behind_the_first_is_never_dropped_in_silence(first: bytes) -> None:
    frames = zstandard.compress(first) + zstandard.compress(SAYS)

    assert answered(frames, coded("zstd")).refused == 502


@pytest.mark.parametrize(
    "data",
    [
        b'{"choices":[{"index":0,"delta":{"content":"0451-ALPHA","content":"hi"}}]}',
        b'{"choices":[{"index":0,"delta":{"content":"0451-ALPHA"},"delta":{"content":"hi"}}]}',
        b'{"choices":[{"delta":{"content":"0451-ALPHA"}}],"choices":[{"delta":{"content":"hi"}}]}',
        b'{"choices":[{"index":0,"delta":{"content":"hi","0451-ALPHA":null}}]}',
        b'{"choices":[{"index":0,"delta":{"x":{"0451-ALPHA":[]}}}]}',
        b'{"choices":[{"index":0,"delta":{"content":"hi"}}]}\n0451-ALPHA',
    ],
    ids=["text", "delta", "choices", "name", "name within", "line beside"],
)
@pytest.mark.parametrize("size", [1, 1 << 20], ids=["by bytes", "at once"])
def test_no_client_can_read_it_in_an_event(data: bytes, size: int) -> None:
    assert not answered(delta("well ") + event(data), SSE, size=size).tells


def test_a_stream_in_another_charset_is_refused() -> None:
    assert answered(delta(UTF_7), charset("utf-7", "text/event-stream")).refused


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (JSON, message('"content":"hi","reasoning_details":null,"x.y-z":{"a1":2,"$b":[3.5]}')),
        (charset("UTF-8"), message('"content":"\u00e9t\u00e9"')),
        (TEXT, b"C:\\temp is full: 100\\u0025, no _ids there"),
    ],
    ids=["plain names", "the usual charset", "words with a backslash"],
)
def test_what_only_looks_strange_goes_on_to_the_byte(fields: Pairs, body: bytes) -> None:
    status = 200 if fields != TEXT else 500

    assert answered(body, fields, status).body == body


DONE = event(b"[DONE]")
STOP = event({"choices": [{"index": 0, "finish_reason": "stop"}]})
THOUGHT = delta("hm", "reasoning_content")


@pytest.mark.parametrize(
    "events",
    [
        [delta("0451-"), DONE, delta("ALPHA")],
        [delta("q", choice=1), delta("0451-"), STOP, delta("ALPHA"), DONE],
        [delta("0451-"), THOUGHT, delta("ALPHA"), DONE],
        [delta("04"), THOUGHT, delta("51-AL"), THOUGHT, delta("PHA"), DONE],
        [*(part for char in SECRET for part in (delta(char), THOUGHT)), DONE],
        [called("0451-"), called("x", 1), called("ALPHA"), DONE],
    ],
    ids=["end mark", "finish", "thought", "two thoughts", "many thoughts", "calls"],
)
@pytest.mark.parametrize("size", [7, 1 << 20], ids=["in pieces", "at once"])
def test_no_client_gets_all_of_it_in_a_text_that_ends_and_goes_on(
    events: list[bytes], size: int
) -> None:
    got = answered(b"".join(events), SSE, size=size)

    assert b"safety-blocked" in got.body
    assert not got.tells


def test_what_was_found_before_a_text_ended_is_not_found_again_when_it_goes_on() -> None:
    redacts = replace(blocks("response"), on_match=OnMatch.REDACT)
    got = answered(delta(f"a {SECRET} b") + THOUGHT + delta(" c") + DONE, SSE, guard=redacts)

    assert got.body.count(b"[redacted]") == 1
    assert got.body.endswith(delta(" c") + DONE)


def test_a_placeholder_where_nothing_can_be_put_back_is_left_there() -> None:
    masks = replace(blocks("prompt"), on_match=OnMatch.MASK)
    named = event({"choices": [{"index": 0, "delta": {"content": "<P>", "a <PATTERN_0_1>": 1}}]})

    assert answered(named + DONE, SSE, guard=masks, asks=SECRET).body == named + DONE
    assert answered(delta("<PATTERN_0_1>"), SSE, guard=masks, asks=SECRET).tells
