"""Answers that name the model as the caller did: `answer as asked`.

Only the names are replaced that are the upstream's for what was asked; all other bytes stay.
Of a stream that is done event by event. A whole answer is held until its end, up to a bound;
a longer one passes as it is, and that is recorded.
"""

import msgspec

from headrace.extensions.body_router.stage import Router
from headrace.extensions.records import RuleError
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Continue,
    Filter,
    Request,
    ResponseEnd,
    ResponseEvent,
)
from headrace.extensions.texts.patch import event_with, patched
from headrace.extensions.texts.values import Path

HELD_BYTES_MAX = 4 << 20
TOO_LARGE = (RuleError("answer as asked", "too-large"),)


class _Named(msgspec.Struct):
    model: str | None = None


class _Answer(msgspec.Struct):
    """An answer or an event; the responses API and Anthropic's wrap what names the model."""

    model: str | None = None
    response: _Named | None = None
    message: _Named | None = None


_DECODER = msgspec.json.Decoder(_Answer)


def renamed(data: bytes, old: str, new: str) -> bytes:
    """Return *data*, a JSON answer or event, with the model *old* named *new*; else as it is."""
    if b'"model"' not in data and b"\\u00" not in data:
        return data
    try:
        answer = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data  # a text that is no JSON, or of another shape: it names nothing
    paths: list[Path] = [("model",)] if answer.model == old else []
    if answer.response is not None and answer.response.model == old:
        paths.append(("response", "model"))
    if answer.message is not None and answer.message.model == old:
        paths.append(("message", "model"))
    return patched(data, dict.fromkeys(paths, new))


def _renamed_events(event: ResponseEvent, old: str, new: str) -> bytes:
    """Return the bytes of *event*, which may be several that a stage before has held, renamed."""
    data = renamed(event.data, old, new)
    if data != event.data and event.data != event.raw:
        return event_with(event.raw, data)
    lines = event.raw.splitlines(keepends=True)
    return b"".join(
        [
            line[:5] + renamed(line[5:], old, new) if line.startswith(b"data:") else line
            for line in lines
        ]
    )


class Renaming(Filter):
    """Routes one request, and puts the model's name back in its answer. Written by one exchange."""

    __slots__ = ("_held", "_held_bytes", "_new", "_old", "_router")

    def __init__(self, router: Router) -> None:
        self._router = router
        self._old = self._new = ""
        self._held: list[bytes] = []
        self._held_bytes = 0

    def on_request(self, request: Request, now_s: float) -> Action:
        """Decide as the router does, and note what the upstream is asked for instead."""
        action = self._router.on_request(request, now_s)
        if isinstance(action, Continue) and action.route is not None:
            asked = self._router.named(action)
            if asked and asked != action.route.target:
                self._old, self._new = action.route.target, asked
        return action

    def on_response_event(self, event: ResponseEvent, now_s: float) -> Action:
        """Rename in an event of a stream; hold what is a piece of a whole answer."""
        if not self._old:
            return CONTINUE
        if event.event_stream:
            raw = _renamed_events(event, self._old, self._new)
            return CONTINUE if raw == event.raw else Continue(body=raw)
        self._held.append(event.raw)
        self._held_bytes += len(event.raw)
        if self._held_bytes <= HELD_BYTES_MAX:
            return Continue(body=b"")
        self._old = ""
        return Continue(body=self._release(), records=TOO_LARGE)

    def on_response_end(self, end: ResponseEnd, now_s: float) -> Action:
        """Let go of a whole answer, renamed."""
        if not self._held:
            return CONTINUE
        return Continue(body=renamed(self._release(), self._old, self._new))

    def _release(self) -> bytes:
        held, self._held = self._held, []
        return b"".join(held)
