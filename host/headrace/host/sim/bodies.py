"""Request bodies of the OpenAI API, read into what a replica needs to know."""

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeVar

import msgspec

from headrace.host.sim.api_error import ApiError
from headrace.host.sim.tokens import id_pieces, tokenize

INPUTS_MAX = 256
_Tokens = Annotated[int, msgspec.Meta(ge=1)]
_Ids = list[Annotated[int, msgspec.Meta(ge=0)]]


class StreamOptions(msgspec.Struct):
    """What a stream carries beside its tokens."""

    include_usage: bool = False


class Part(msgspec.Struct):
    """One part of a message; parts that are not text count as one token each."""

    type: str
    text: str = ""


class Message(msgspec.Struct):
    """One message of a chat, or one item of a response's input."""

    role: str = "user"
    content: str | list[Part] | None = None


class ChatBody(msgspec.Struct):
    """The body of `/v1/chat/completions`."""

    model: str
    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    max_tokens: _Tokens | None = None
    max_completion_tokens: _Tokens | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = 1
    tools: msgspec.Raw | None = None


class CompletionBody(msgspec.Struct):
    """The body of `/v1/completions`."""

    model: str
    prompt: str | list[str | int]
    max_tokens: _Tokens | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = 1


class ResponsesBody(msgspec.Struct):
    """The body of `/v1/responses`."""

    model: str
    input: str | list[Message]
    instructions: str | None = None
    max_output_tokens: _Tokens | None = None
    stream: bool | None = False
    tools: msgspec.Raw | None = None


class EmbeddingsBody(msgspec.Struct):
    """The body of `/v1/embeddings`."""

    model: str
    input: str | list[str | int | _Ids]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 64


class AdapterBody(msgspec.Struct):
    """The body of `/v1/load_lora_adapter` and `/v1/unload_lora_adapter`."""

    lora_name: str = ""
    lora_path: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for text: the prompt's tokens, and at most how many to answer with."""

    model: str
    pieces: list[str] = field(repr=False)
    max_tokens: int | None
    stream: bool
    include_usage: bool


_Body = TypeVar("_Body", bound=msgspec.Struct)


def decode(raw: bytes, shape: type[_Body]) -> _Body:
    """Return *raw* as a *shape*.

    Raises:
        ApiError: 400 if *raw* is not JSON, not UTF-8, nested too deep or not of that shape.
    """
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, str(error)) from error


def read_chat(raw: bytes) -> Ask:
    """Return what the body of a chat completion asks for."""
    body = decode(raw, ChatBody)
    return Ask(
        body.model,
        tokenize(_tools(body.tools) + _chat(body.messages)),
        body.max_completion_tokens or body.max_tokens,
        bool(body.stream),
        body.stream_options is not None and body.stream_options.include_usage,
    )


def read_completion(raw: bytes) -> Ask:
    """Return what the body of a completion asks for."""
    body = decode(raw, CompletionBody)
    prompt = body.prompt
    ids = [one for one in prompt if isinstance(one, int)]
    texts = [prompt] if isinstance(prompt, str) else [one for one in prompt if isinstance(one, str)]
    if bool(ids) + len(texts) != 1:
        raise ApiError(400, "give one prompt per request: a string, or a list of token ids")
    return Ask(
        body.model,
        id_pieces(ids) if ids else tokenize(texts[0]),
        body.max_tokens,
        bool(body.stream),
        body.stream_options is not None and body.stream_options.include_usage,
    )


def read_responses(raw: bytes) -> Ask:
    """Return what the body of a response asks for; a stream always ends with its usage."""
    body = decode(raw, ResponsesBody)
    items = [Message("user", body.input)] if isinstance(body.input, str) else body.input
    system = [Message("system", body.instructions)] if body.instructions else []
    text = _tools(body.tools) + _chat([*system, *items])
    return Ask(body.model, tokenize(text), body.max_output_tokens, bool(body.stream), True)


def embedding_inputs(body: EmbeddingsBody) -> list[list[str]]:
    """Return the tokens of each input; a flat list of token ids is one input."""
    if isinstance(body.input, str):
        return [tokenize(body.input)]
    numbers = [one for one in body.input if isinstance(one, int)]
    if numbers and len(numbers) == len(body.input):
        return [id_pieces(numbers)]
    if numbers:
        raise ApiError(400, "token ids and texts are mixed; give one kind", param="input")
    if len(body.input) > INPUTS_MAX:
        raise ApiError(400, f"more than {INPUTS_MAX} inputs; send fewer at once", param="input")
    return [_input(one) for one in body.input if not isinstance(one, int)]


def _input(one: str | list[int]) -> list[str]:
    return tokenize(one) if isinstance(one, str) else id_pieces(one)


def _chat(messages: list[Message]) -> str:
    """Return the prompt that the Qwen chat template makes of *messages*."""
    parts = [f"<|im_start|>{m.role}\n{_text(m.content)}<|im_end|>\n" for m in messages]
    return "".join(parts) + "<|im_start|>assistant\n"


def _text(content: str | list[Part] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text or "<|media|>" for part in content)


def _tools(tools: msgspec.Raw | None) -> str:
    return bytes(tools).decode() if tools else ""
