"""The HTTP request that a test asks with, made from what the test says of it."""

from collections.abc import Mapping
from typing import cast

import msgspec

from headrace.dsl.cases import Given
from headrace.extensions.call import Api, api_of
from headrace.extensions.readers import NAMELESS
from headrace.host.testing.message import Message

PATH = "/v1/chat/completions"
PROMPT = "hello, who are you?"
BYTES_PER_TOKEN = 4  # of the host's own estimate
PROMPT_BYTES_MAX = 16 << 20


class Unaskable(Exception):
    """A request that cannot be made. The message says what to write."""


def message_of(request: Mapping[str, Given]) -> Message:
    """Return the request that has the fields of `request.*` given, and usual ones beside.

    Raises:
        Unaskable: two of the fields contradict each other.
    """
    path = str(request.get("path", PATH))
    method = str(request.get("method", "POST"))
    given = cast(Mapping[str, str], request.get("headers", {}))
    headers = {name.lower(): value for name, value in given.items() if value}
    if "id" in request:
        headers["x-request-id"] = str(request["id"])
    head = {":method": method, ":path": path, ":authority": "test"}
    head |= {"content-type": "application/json"} if method == "POST" else {}
    return Message(
        tuple((head | headers).items()), _body(request, path) if method == "POST" else b""
    )


def _body(request: Mapping[str, Given], path: str) -> bytes:
    prompt = _prompt(request)
    body: dict[str, object] = _asking(api_of(path), prompt)
    if "model" in request or api_of(path) not in NAMELESS:
        body = {"model": request.get("model", ""), **body}
    if request.get("max_tokens"):
        body["max_tokens"] = request["max_tokens"]
    if request.get("stream"):
        body["stream"] = True
    text = msgspec.json.encode(body)
    size = cast(int, request.get("size", len(text)))
    if size < len(text):
        raise Unaskable(f'"size": {size} is too small: this request alone has {len(text)} bytes')
    if size > PROMPT_BYTES_MAX:
        raise Unaskable(f'"size": {size} is too large: a test makes at most {PROMPT_BYTES_MAX}')
    return text.ljust(size)  # white space after the object is JSON's own padding


def _asking(api: Api | None, prompt: str) -> dict[str, object]:
    """Return the fields of a body of *api* that have the prompt.

    Raises:
        Unaskable: the API takes no text.
    """
    match api:
        case Api.CHAT | Api.CHAT_RENDER | Api.MESSAGES | Api.COUNT_TOKENS:
            return {"messages": [{"role": "user", "content": prompt}]}
        case Api.CONVERSATIONS:
            return {"items": [{"role": "user", "content": prompt}]}
        case Api.RESPONSES | Api.EMBEDDINGS | Api.MODERATIONS:
            return {"input": prompt}
        case Api.RERANK:
            return {"query": prompt, "documents": []}
        case Api.SCORE:
            return {"text_1": prompt, "text_2": []}
        case Api.GEMINI:
            return {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}
        case Api.PREDICT:
            return {"instances": [{"prompt": prompt}]}
        case Api.TOKENS | Api.DETOKENIZE | Api.GRPC_GENERATE | Api.GRPC_EMBED:
            known = "`/v1/chat/completions`"
            raise Unaskable(f"a test has no token ids, which this path takes; ask at {known}")
        case _:
            return {"prompt": prompt}


def _prompt(request: Mapping[str, Given]) -> str:
    if "prompt_tokens" not in request:
        return str(request.get("prompt", PROMPT))
    if "prompt" in request:
        raise Unaskable('"prompt" and "prompt_tokens" say the same: give one of them')
    length = cast(int, request["prompt_tokens"]) * BYTES_PER_TOKEN
    if length > PROMPT_BYTES_MAX:
        most = PROMPT_BYTES_MAX // BYTES_PER_TOKEN
        raise Unaskable(f'"prompt_tokens" is too large: a test makes at most {most}')
    return "hello " * (length // 6) + "x" * (length % 6)
