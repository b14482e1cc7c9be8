"""The cheapest model servers there can be: many ports, one process. ``python -m bench.upstream``.

They answer completions at once, whole or as events, and serve a page of metrics as long
as a real server's, so that scraping costs what it costs. Of a large body nothing is kept, and
who asks for a large answer by `x-answer-bytes` gets one as fast as it is taken.
"""

import argparse
import asyncio
import json
from typing import cast

import uvloop

EVENTS = 32
HISTOGRAM_ROWS = 250
LARGE_BYTES = 1 << 20  # a body of more is counted, not kept
LAST_CHUNK = b"0\r\n\r\n"
ANSWER_BYTES = b"x-answer-bytes"
PIECE = b"word " * 13_107  # just below 64 KiB

_USAGE = {"prompt_tokens": 200, "completion_tokens": 32, "total_tokens": 232}
_WHOLE = json.dumps(
    {
        "id": "cmpl-1",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 32}}],
        "usage": _USAGE,
    }
).encode()


def page() -> bytes:
    """Return a page of metrics in the shape of vLLM's."""
    labels = '{engine="0",model_name="m"}'
    rows = [
        f"vllm:num_requests_running{labels} 0.0",
        f"vllm:num_requests_waiting{labels} 0.0",
        f"vllm:kv_cache_usage_perc{labels} 0.25",
        'vllm:cache_config_info{block_size="16",num_gpu_blocks="19208"} 1.0',
    ]
    rows += [
        f'vllm:time_to_first_token_seconds_bucket{{engine="0",le="{at}",model_name="m"}} {at}.0'
        for at in range(HISTOGRAM_ROWS)
    ]
    return "\n".join(rows).encode() + b"\n"


def event(at: int) -> bytes:
    """Return the event of one token."""
    delta = {"choices": [{"index": 0, "delta": {"content": f"word{at} "}}], "model": "m"}
    return b"data: " + json.dumps(delta).encode() + b"\n\n"


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection. Of *events* each comes *gap_s* after the one before."""

    def __init__(self, metrics: bytes, gap_s: float, events: int) -> None:
        self._metrics, self._gap_s, self._events = metrics, gap_s, events
        self._buffer = b""
        self._unread_bytes = 0
        self._tail: bytes | None = None  # of a large chunked body, to know its end by
        self._unsent_bytes = 0
        self._asked = b""
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._send_large()

    def data_received(self, data: bytes) -> None:
        if self._unread_bytes:
            self._unread_bytes -= len(data)
            if self._unread_bytes <= 0:
                self._answer(self._asked, b"")
            return
        if self._tail is not None:
            self._tail = (self._tail + data[-len(LAST_CHUNK) :])[-len(LAST_CHUNK) :]
            if self._tail == LAST_CHUNK:
                self._tail = None
                self._answer(self._asked, b"")
            return
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, rest = self._buffer.partition(b"\r\n\r\n")
            size = _length(head)
            if size is None:
                end = rest.find(LAST_CHUNK)
                if end < 0 and len(rest) > LARGE_BYTES:
                    self._asked, self._tail, self._buffer = head, rest[-len(LAST_CHUNK) :], b""
                if end < 0:
                    return
                size = end + len(LAST_CHUNK)
            if size > LARGE_BYTES:
                self._asked, self._unread_bytes, self._buffer = head, size - len(rest), b""
                return
            if len(rest) < size:
                return
            body, self._buffer = rest[:size], rest[size:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET"):
            self._whole(b"text/plain; version=0.0.4", self._metrics)
        elif (size := _number(head, ANSWER_BYTES)) is not None:
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n"
                b"content-length: %d\r\n\r\n" % size
            )
            self._unsent_bytes = size
            self._send_large()
        elif b'"stream": true' in body or b'"stream":true' in body:
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                b"transfer-encoding: chunked\r\n\r\n"
            )
            self._next(0)
        else:
            self._whole(b"application/json", _WHOLE)

    def _next(self, at: int) -> None:
        if self._transport.is_closing():
            return
        if at == self._events:
            usage = b"data: " + json.dumps({"choices": [], "usage": _USAGE}).encode() + b"\n\n"
            self._transport.write(_chunk(usage) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
            return
        self._transport.write(_chunk(event(at)))
        asyncio.get_running_loop().call_later(self._gap_s, self._next, at + 1)

    def _send_large(self) -> None:
        while self._unsent_bytes and not self._paused:
            piece = PIECE[: self._unsent_bytes]
            self._unsent_bytes -= len(piece)
            self._transport.write(piece)

    def _whole(self, kind: bytes, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b"
            % (kind, len(body), body)
        )


def _length(head: bytes) -> int | None:
    if _number(head, b"transfer-encoding") is not None:
        return None
    return _number(head, b"content-length") or 0


def _number(head: bytes, name: bytes) -> int | None:
    """Return the field *name*, 0 if it is no number; None if there is none."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(name + b":"):
            value = line.partition(b":")[2].strip()
            return int(value) if value.isdigit() else 0
    return None


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def serve(hosts: list[str], ports: list[int], gap_s: float, events: int) -> None:
    """Serve on every one of *ports* of every one of *hosts* until cancelled."""
    loop = asyncio.get_running_loop()
    metrics = page()
    for port in ports:
        await loop.create_server(lambda: Connection(metrics, gap_s, events), hosts, port)
    print("ready", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Read the ports and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ports", required=True, help="comma-separated")
    parser.add_argument("--hosts", default="127.0.0.1", help="comma-separated")
    parser.add_argument("--gap-s", type=float, default=0.0)
    parser.add_argument("--events", type=int, default=EVENTS)
    given = parser.parse_args()
    hosts, ports = given.hosts.split(","), [int(port) for port in given.ports.split(",")]
    uvloop.run(serve(hosts, ports, given.gap_s, given.events))


if __name__ == "__main__":
    main()
