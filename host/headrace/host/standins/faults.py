"""What goes wrong with a stand-in, on demand."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from aiohttp import web
from msgspec import Struct

PAGE = b"<html><head><title>502</title></head><body>Bad Gateway</body></html>"
WRONG = b'{"sanitizationResult": 7, "flagged": "yes", "results": {}, "choices": [], "status": []}'
DRIP_S = 0.05  # between two bytes
FAULTS_MAX = 10_000
HANG_S = 3600.0
STATUS_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}
KINDS = (
    "delay",
    "hang",
    "reset",
    "html",
    "half",
    "cut",
    "error",
    "huge",
    "drip",
    "wrong",
    "status",
)


class Fault(Struct, frozen=True):
    """One thing that goes wrong.

    kind   ``delay`` and ``drip`` answer all the same; ``hang`` never does; ``reset`` breaks the
           connection, ``cut`` in the middle of the answer; ``half`` is half of the JSON, ``html``
           a page, ``error`` a 200 with an error inside, ``wrong`` JSON of wrong types, ``huge``
           a large one, ``status`` an error in Google's JSON
    value  seconds of ``delay``, bytes of ``huge``, the code of ``status``
    """

    kind: str
    value: float = 0.0


@dataclass(slots=True)
class Script:
    """Which calls go wrong. Mutable: written by the calls and by who scripts them.

    always  goes wrong with every call
    """

    always: Fault | None = None
    upcoming: deque[Fault | None] = field(default_factory=deque[Fault | None])

    def add(self, faults: Iterable[Fault | None]) -> None:
        """Let the next calls go wrong, one each; None is a call that does not."""
        self.upcoming.extend(faults)
        while len(self.upcoming) > FAULTS_MAX:
            self.upcoming.pop()

    def next(self) -> Fault | None:
        """Return what goes wrong with this call."""
        return self.upcoming.popleft() if self.upcoming else self.always


def google_error(code: int, message: str) -> bytes:
    """Return an error as Google's APIs say it."""
    status = STATUS_WORDS.get(code, "UNKNOWN")
    return msgspec.json.encode({"error": {"code": code, "message": message, "status": status}})


async def spoilt(
    request: web.Request, answer: web.Response, fault: Fault | None
) -> web.StreamResponse:
    """Return what comes of *answer* under *fault*."""
    body = bytes(answer.body) if isinstance(answer.body, bytes) else b""
    match fault:
        case None:
            return answer
        case Fault("delay", seconds):
            await asyncio.sleep(seconds)
            return answer
        case Fault("hang"):
            await asyncio.sleep(HANG_S)
            return answer
        case Fault("reset"):
            _abort(request)
            return answer
        case Fault("cut" | "drip" as kind):
            return await _piecemeal(request, body, whole=kind == "drip")
        case Fault("status", code):
            return _refusal(int(code) or 500)
        case _:
            return _instead(fault, body)


def _instead(fault: Fault, body: bytes) -> web.Response:
    match fault:
        case Fault("html"):
            return web.Response(body=PAGE, content_type="text/html")
        case Fault("half"):
            return _json(body[: len(body) // 2])
        case Fault("error"):
            return _json(google_error(500, "an internal error, told with the status 200"))
        case Fault("huge", size):
            return _json(b'"' + b"x" * int(size or 4 << 20) + b'"')
        case Fault("wrong"):
            return _json(WRONG)
        case _:
            raise ValueError(f"unknown fault `{fault.kind}`; known: {', '.join(KINDS)}")


def _refusal(code: int) -> web.Response:
    headers = {"retry-after": "7"} if code in (429, 503) else {}
    body = google_error(code, f"a fault on demand: {code}")
    return web.Response(status=code, body=body, content_type="application/json", headers=headers)


async def _piecemeal(request: web.Request, body: bytes, whole: bool) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    if not whole:
        await response.write(body[: len(body) // 2])
        _abort(request)
        return response
    for at in range(len(body)):
        await response.write(body[at : at + 1])
        await asyncio.sleep(DRIP_S)
    return response


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _abort(request: web.Request) -> None:
    transport = request.transport
    if transport is not None:
        transport.abort()
