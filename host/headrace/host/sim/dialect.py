"""How each OpenAI endpoint words an answer: whole, or as server-sent events."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one answer."""

    prompt_tokens: int
    output_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """All of an answer, once it is complete. *finish*: `stop` or `length`."""

    text: str
    finish: str
    usage: Usage


class Dialect(Protocol):
    """Words one answer for one endpoint."""

    def opening(self) -> bytes:
        """Return the events before the first token."""
        ...

    def token(self, encoded: bytes) -> bytes:
        """Return the event of one token, given its text as a JSON string."""
        ...

    def closing(self, answer: Answer) -> bytes:
        """Return the events after the last token."""
        ...

    def whole(self, answer: Answer) -> Mapping[str, object]:
        """Return the body of an answer that is not streamed."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """What every event of an answer repeats."""

    number: str
    model: str
    created_unix_s: int


# What follows the text of a token in its event; the same for both endpoints.
_TOKEN_END = b',"logprobs":null,"finish_reason":null}]}\n\n'
_DONE = b"data: [DONE]\n\n"


class Chat:
    """`/v1/chat/completions`: role, content deltas, finish reason, optional usage, `[DONE]`."""

    __slots__ = ("_chunk", "_identity", "_include_usage", "_token_start")

    def __init__(self, identity: Identity, include_usage: bool) -> None:
        self._identity = identity
        self._include_usage = include_usage
        self._chunk = _head(identity, "chatcmpl", "chat.completion.chunk")
        start = b'%b"choices":[{"index":0,"delta":{"content":'
        self._token_start = b"data: " + start % _open_object(self._chunk)

    def opening(self) -> bytes:
        """Return the event that names the role."""
        choice = _chat_choice({"role": "assistant", "content": ""}, None)
        return _event({**self._chunk, "choices": [choice]})

    def token(self, encoded: bytes) -> bytes:
        """Return the content delta of one token."""
        return b"%b%b}%b" % (self._token_start, encoded, _TOKEN_END)

    def closing(self, answer: Answer) -> bytes:
        """Return the event with the finish reason, the usage if asked for, and `[DONE]`."""
        events = _event({**self._chunk, "choices": [_chat_choice({}, answer.finish)]})
        if self._include_usage:
            events += _event({**self._chunk, "choices": [], "usage": _usage(answer.usage)})
        return events + _DONE

    def whole(self, answer: Answer) -> Mapping[str, object]:
        """Return the chat completion."""
        message = {"role": "assistant", "content": answer.text}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}
        head = _head(self._identity, "chatcmpl", "chat.completion")
        return {**head, "choices": [choice], "usage": _usage(answer.usage)}


class Completion:
    """`/v1/completions`: text pieces, the last event with the finish reason, `[DONE]`."""

    __slots__ = ("_head", "_include_usage", "_token_start")

    def __init__(self, identity: Identity, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._head = _head(identity, "cmpl", "text_completion")
        start = b'%b"choices":[{"index":0,"text":'
        self._token_start = b"data: " + start % _open_object(self._head)

    def opening(self) -> bytes:
        """Return nothing: the first event is the first token's."""
        return b""

    def token(self, encoded: bytes) -> bytes:
        """Return the event of one token."""
        return b"%b%b%b" % (self._token_start, encoded, _TOKEN_END)

    def closing(self, answer: Answer) -> bytes:
        """Return the event with the finish reason, the usage if asked for, and `[DONE]`."""
        events = _event({**self._head, "choices": [_text_choice("", answer.finish)]})
        if self._include_usage:
            events += _event({**self._head, "choices": [], "usage": _usage(answer.usage)})
        return events + _DONE

    def whole(self, answer: Answer) -> Mapping[str, object]:
        """Return the completion."""
        choices = [_text_choice(answer.text, answer.finish)]
        return {**self._head, "choices": choices, "usage": _usage(answer.usage)}


def _chat_choice(delta: Mapping[str, object], finish: str | None) -> Mapping[str, object]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _text_choice(text: str, finish: str) -> Mapping[str, object]:
    return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}


def _head(identity: Identity, prefix: str, kind: str) -> Mapping[str, object]:
    return {
        "id": f"{prefix}-{identity.number}",
        "object": kind,
        "created": identity.created_unix_s,
        "model": identity.model,
    }


def _usage(usage: Usage) -> Mapping[str, object]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "total_tokens": usage.prompt_tokens + usage.output_tokens,
        "completion_tokens": usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _event(value: Mapping[str, object]) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(value)


def _open_object(value: Mapping[str, object]) -> bytes:
    """Return *value* as JSON, open for one more member."""
    return msgspec.json.encode(value)[:-1] + b","
