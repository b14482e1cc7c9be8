"""A guard that blocks a word, a model server that wants to get it past, and what a client can read.

A client is taken to be whatever helps the server most: it believes charsets, resolves escapes and
joins all the texts that a field has.
"""

import json
import re
from dataclasses import dataclass

from headrace.dsl.program import Guard
from headrace.extensions.headers import Headers
from headrace.extensions.safety import build
from headrace.host.exchange.part import BodyMode, Direction, Head, Modes
from headrace.host.exchange.reply import BodyReply, ImmediateReply, Output, Streamed
from tests.extensions.body_router.policies import program, site, span
from tests.host.exchange.drive import Drive

SECRET = "0451-ALPHA"
FDS = BodyMode.FULL_DUPLEX_STREAMED
JSON = (("content-type", "application/json"),)
SSE = (("content-type", "text/event-stream"),)
CHAT = "/v1/chat/completions"
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_FIELDS = ("content", "reasoning_content", "arguments")

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Got:
    """What a client has got. *refused*: the status of an answer of ours in place of all else."""

    body: bytes
    refused: int = 0

    @property
    def tells(self) -> bool:
        """Whether any client could read the secret in it."""
        return any(SECRET in view for view in _views(self.body))


def blocks(way: str) -> Guard:
    """Return a guard of *way* that blocks the secret."""
    return Guard("g", span(), patterns=(SECRET,), inspect=frozenset((way,)))


def asked(guard: Guard, body: bytes, path: str = CHAT, fields: Pairs = JSON) -> tuple[Drive, Got]:
    """Send a request past *guard*; return the exchange, and what came of it."""
    drive = Drive((build(program(guards=(guard,)), site()),), Modes(FDS, FDS))
    outputs = drive.send(
        Head(Direction.REQUEST, Headers(((":method", "POST"), (":path", path), *fields)), False)
    )
    return drive, received(outputs + drive.chunk(body, end=True))


BLOCKS = blocks("response")


def answered(
    body: bytes,
    fields: Pairs = JSON,
    status: int = 200,
    size: int = 1 << 20,
    guard: Guard = BLOCKS,
    asks: str = "hi",
) -> Got:
    """Return what who *asks* gets of an answer to a chat that comes in pieces of *size* bytes."""
    request = {"model": "m", "stream": True, "messages": [{"role": "user", "content": asks}]}
    drive, _ = asked(guard, json.dumps(request).encode())
    head = Head(Direction.RESPONSE, Headers(((":status", str(status)), *fields)), False)
    outputs = drive.send(head)
    for at in range(0, len(body), size):
        outputs += drive.answer_chunk(body[at : at + size])
    return received(outputs + drive.answer_chunk(b"", end=True))


def event(value: object) -> bytes:
    """Return one event of a stream; of bytes, with them as its data."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return b"data: %b\n\n" % data


def delta(text: str, field: str = "content", choice: int = 0) -> bytes:
    """Return the event in which the model writes *text*."""
    return event({"choices": [{"index": choice, "delta": {field: text}}]})


def called(source: str, call: int = 0) -> bytes:
    """Return the event in which the model writes *source* of a tool call's arguments."""
    calls = [{"index": call, "function": {"arguments": source}}]
    return event({"choices": [{"index": 0, "delta": {"tool_calls": calls}}]})


def received(outputs: list[Output]) -> Got:
    """Return what a client has got of *outputs*."""
    for output in outputs:
        if isinstance(output, ImmediateReply):
            return Got(output.body, output.status)
    bodies = [o.body for o in outputs if isinstance(o, BodyReply)]
    return Got(b"".join(body.data for body in bodies if isinstance(body, Streamed)))


def _views(body: bytes) -> list[str]:
    """Return *body* as clients may read it."""
    views = [body.decode(name, "replace") for name in ("utf-8", "utf-16", "utf-16-le", "utf-7")]
    plain = views[0]
    views.append(_resolved(plain))
    for field in _FIELDS:
        parts = re.findall(rf'"{field}":\s*"((?:[^"\\]|\\.)*)"', plain)
        text = "".join(json.loads(f'"{part}"') for part in parts)
        views += (text, _resolved(text))
    return views


def _resolved(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
