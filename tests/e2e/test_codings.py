"""Compressed bodies: decoded for reading, forwarded as they came, refused if unreadable."""

import gzip
import json

import brotli
import pytest
import zstandard

from headrace.host.exchange.part import BodyMode
from tests.e2e.rig.doors import BODIES, DUPLEX, pair
from tests.e2e.rig.site import Rig
from tests.e2e.rig.upstream import Call, Script

CHAT = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]})
STREAMED = pair(BodyMode.STREAMED, BodyMode.STREAMED)
# The brotli wheel has no types.
BR = bytes(brotli.compress(CHAT.encode()))  # pyright: ignore


@pytest.mark.parametrize(
    ("coding", "encoded"),
    [
        ("gzip", gzip.compress(CHAT.encode())),
        ("br", BR),
        ("zstd", zstandard.ZstdCompressor().compress(CHAT.encode())),
    ],
    ids=["gzip", "br", "zstd"],
)
def test_a_compressed_request_is_read_decoded_and_forwarded_as_it_came(
    rig: Rig, coding: str, encoded: bytes
) -> None:
    """Case 30: decoded for reading, untouched on the wire."""
    request_id = rig.new_id()
    answer = rig.fetch(
        DUPLEX,
        "tell",
        "POST",
        "/v1/chat/completions",
        [
            ("content-type", "application/json"),
            ("content-encoding", coding),
            ("x-id", request_id),
        ],
        encoded,
    )

    assert (answer.status, answer.body) == (200, encoded)
    assert rig.seen(request_id).head.get("x-saw-call") == "Call"
    assert rig.seen(request_id).head.get("content-encoding") == coding


def _answering(body: bytes, *fields: tuple[str, str]) -> Script:
    async def run(call: Call) -> None:
        await call.read()
        await call.answer(200, fields, body)

    return run


@pytest.mark.parametrize("door", BODIES)
@pytest.mark.parametrize("chain", ["pass", "observe", "gate?do=upper"])
def test_a_compressed_response_is_untouched_unless_a_stage_gates_it(
    rig: Rig, door: str, chain: str
) -> None:
    """Case 30: gated, it goes on decoded and says so."""
    coded = gzip.compress(b"plain words " * 100)
    script = _answering(coded, ("content-encoding", "gzip"), ("content-type", "text/plain"))
    with rig.upstream.script("coded", script):
        answer = rig.fetch(door, chain, fields=[("x-script", "coded")])

    assert (answer.status, answer.complete) == (200, True)
    if chain.startswith("gate"):
        assert answer.body == b"PLAIN WORDS " * 100
        assert "content-encoding" not in answer.head
    else:
        assert answer.body == coded
        assert answer.head.get("content-encoding") == "gzip"


@pytest.mark.parametrize("door", BODIES)
@pytest.mark.parametrize(
    ("coding", "body"),
    [("rot13", b"cynva"), ("gzip", b"no gzip at all"), ("gzip", gzip.compress(bytes(20_000_000)))],
    ids=["unknown", "broken", "bomb"],
)
def test_a_response_that_cannot_be_screened_does_not_pass(
    rig: Rig, door: str, coding: str, body: bytes
) -> None:
    """Case 30: unknown coding, broken coding, more than we hold."""
    script = _answering(body, ("content-encoding", coding), ("content-type", "text/plain"))
    with rig.upstream.script("coded", script):
        answer = rig.fetch(door, "gate?do=keep", fields=[("x-script", "coded")])

    assert body not in answer.body
    if answer.status == 200:  # in STREAMED the head was out before the body could be read
        assert door == STREAMED
        assert b"response-unreadable" in answer.body
    else:
        assert answer.status == 502
        assert answer.head.get("x-headrace-reason") == "response-unreadable"
