"""What a test gives beside endpoints: what providers say, and what the model answers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from headrace.dsl.cases import GivenGuard, TestCase
from headrace.dsl.program import DEFAULT_CHAIN, Program
from headrace.extensions.apis import Api, api_of
from headrace.extensions.safety.given import FAILS, FINDS, instead
from headrace.host.testing.message import Message

_USAGE = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
ANSWER = "hello"


@dataclass(frozen=True, slots=True)
class Beside:
    """What of a case is neither its endpoints nor its request. *answer* None: the usual one."""

    guards: tuple[GivenGuard, ...] = ()
    answer: str | None = None

    @classmethod
    def of(cls, case: TestCase) -> "Beside":
        """Return that of *case*."""
        return cls(case.guards, case.answer)


NOTHING = Beside()


def offline(program: Program, given: Sequence[GivenGuard]) -> Program:
    """Return *program* with guards that ask nobody: who would, says what is *given*, or nothing."""
    if not any(guard.ask for guard in program.guards):
        return program
    says: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for one in given:
        pairs = [(FAILS, one.fails)] if one.fails else [(FINDS, what) for what in one.finds]
        for direction in [one.direction] if one.direction else ["prompt", "response"]:
            says.setdefault(one.guard, {})[direction] = pairs
    guards = tuple(
        instead(guard, says.get(guard.name, {})) if guard.ask else guard for guard in program.guards
    )
    return replace(program, guards=guards)


def assumed(program: Program, case: TestCase) -> tuple[str, ...]:
    """Return the guards of the chain that ask a provider of which *case* gives nothing."""
    chain = program.chain(DEFAULT_CHAIN.name)
    if chain is None or "safety" not in chain.stages:
        return ()
    given = {one.guard for one in case.guards}
    return tuple(g.name for g in program.guards if g.ask and g.name not in given)


def reply(request: Message, answer: str | None) -> Message:
    """Return the answer to *request* whose text is *answer*, in the shape of its API.

    Chat completions and completions that ask for a stream get one, a word an event.
    """
    path = dict(request.headers).get(":path", "").partition("?")[0]
    text = ANSWER if answer is None else answer
    if path.endswith("/completions") and answer is not None and _wants_stream(request.body):
        return Message.answer(_stream(path, text), content_type="text/event-stream")
    return Message.answer(msgspec.json.encode(_body(path, text)))


class _Asking(msgspec.Struct):
    """What of a body says how it is to be answered."""

    stream: bool = False


def _wants_stream(body: bytes) -> bool:
    return bool(body) and msgspec.json.decode(body, type=_Asking).stream


def _stream(path: str, text: str) -> bytes:
    """Return the events of an answer, and the end of its stream."""
    chat = path.endswith("/chat/completions")
    kind = "chat.completion.chunk" if chat else "text_completion"
    events: list[bytes] = []
    for word in re.findall(r"\S*\s*", text):
        said: dict[str, object] = {"delta": {"content": word}} if chat else {"text": word}
        finish = None if word else "stop"  # the last match is empty
        choice = {"index": 0, **said, "finish_reason": finish}
        events.append(msgspec.json.encode({"object": kind, "choices": [choice]}))
    events.append(b"[DONE]")
    return b"".join(b"data: %b\n\n" % event for event in events)


def _body(path: str, text: str) -> Mapping[str, object]:
    if api_of(path) is Api.GEMINI:
        candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}
        counts = {"promptTokenCount": 5, "candidatesTokenCount": 1, "totalTokenCount": 6}
        return {"candidates": [{**candidate, "finishReason": "STOP"}], "usageMetadata": counts}
    if path.endswith("/messages"):
        content = [{"type": "text", "text": text}]
        usage = {"input_tokens": 5, "output_tokens": 1}
        return {"type": "message", "role": "assistant", "content": content, "usage": usage}
    if path.endswith("/responses"):
        parts = [{"type": "output_text", "text": text}]
        item = {"type": "message", "role": "assistant", "content": parts}
        usage = {"input_tokens": 5, "output_tokens": 1, "total_tokens": 6}
        return {"object": "response", "output": [item], "usage": usage}
    if path.endswith("/completions") and not path.endswith("/chat/completions"):
        choice: dict[str, object] = {"index": 0, "finish_reason": "stop", "text": text}
        return {"object": "text_completion", "choices": [choice], "usage": _USAGE}
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"object": "chat.completion", "choices": [choice], "usage": _USAGE}
