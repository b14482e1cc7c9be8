"""How the body of each API is read, once it is known to be JSON, or a message of gRPC."""

from collections.abc import Callable, Mapping

import msgspec

from headrace.extensions.apis import PATH_OF, Api
from headrace.extensions.called import (
    MODEL_CHARS_MAX,
    TOKEN_BYTES,
    Call,
    CallFault,
    is_name,
    shown,
)
from headrace.extensions.prose import Prose
from headrace.extensions.reasons import Reason
from headrace.extensions.shapes import (
    Chat,
    Completion,
    Embedding,
    Limits,
    Other,
    Response,
    Shape,
    canonical,
    doubled_field,
    split_ids,
)
from headrace.extensions.texts import grpc
from headrace.extensions.texts.asked import (
    BOUNDS,
    CHAT_ENDS,
    CHAT_RAWS,
    LAYOUTS,
    RESPONSE_ENDS,
    RESPONSE_RAWS,
    SYSTEM,
)
from headrace.extensions.texts.layout import At, Rule, decoded, read_all
from headrace.extensions.texts.values import Unreadable

GRPC = "application/grpc"


class Asking(msgspec.Struct, frozen=True):
    """A body, the API that it is of, and what its path says of it."""

    api: Api
    body: bytes
    named: str = ""
    streams: bool = False

    def __repr__(self) -> str:
        return f"Asking({self.api.value}, {len(self.body)} bytes)"


def read_call(asking: Asking) -> Call | CallFault:
    """Return the call in a body of JSON.

    Raises:
        msgspec.DecodeError: the body is no JSON object, or a field has a wrong type.
        Unreadable: some text in it is malformed.
    """
    return READERS.get(asking.api, _read_other)(asking)


def _read_chat(asking: Asking) -> Call | CallFault:
    chat = msgspec.json.decode(asking.body, type=Chat)
    prose = Prose()
    _add_raws(prose, chat, CHAT_RAWS)
    prose.add_items(chat.messages or [])
    _add_raws(prose, chat, CHAT_ENDS)
    most = chat.max_tokens if chat.max_completion_tokens is None else chat.max_completion_tokens
    return _call(asking, chat, prose, "" if chat.messages else "messages", most)


def _read_completion(asking: Asking) -> Call | CallFault:
    rest, ids = split_ids(asking.body, "prompt")
    completion = msgspec.json.decode(rest, type=Completion)
    prose = Prose(ids)
    prose.add_prompt(completion.prompt)
    if completion.suffix:
        prose.add("user", completion.suffix)
    _add_raws(prose, completion, BOUNDS)
    absent = "prompt" if completion.prompt in (None, []) and not ids else ""
    return _call(asking, completion, prose, absent, completion.max_tokens)


def _read_embedding(asking: Asking) -> Call | CallFault:
    rest, ids = split_ids(asking.body, "input")
    embedding = msgspec.json.decode(rest, type=Embedding)
    prose = Prose(ids)
    prose.add_prompt(embedding.input)
    # Some servers embed a chat instead of an input.
    prose.add_items(embedding.messages or [])
    given = ids or embedding.messages or embedding.input not in (None, [])
    absent = "" if given else "input"
    return _call(asking, embedding, prose, absent, None)


def _read_response(asking: Asking) -> Call | CallFault:
    response = msgspec.json.decode(asking.body, type=Response)
    prose = Prose()
    _add_raws(prose, response, RESPONSE_RAWS)
    if response.instructions:
        prose.add("system", response.instructions)
    prose.add_raw(SYSTEM, response.prompt)
    if isinstance(response.input, str):
        prose.add("user", response.input)
    else:
        prose.add_items(response.input or [])
    _add_raws(prose, response, RESPONSE_ENDS)
    absent = "input" if response.input in (None, []) else ""
    return _call(asking, response, prose, absent, response.max_output_tokens)


def _add_raws(prose: Prose, shape: Shape, rules: Mapping[str, Rule]) -> None:
    for name, rule in rules.items():
        raw: msgspec.Raw = getattr(shape, name)
        if raw:
            prose.add_raw(rule, raw)


READERS: Mapping[Api, Callable[[Asking], Call | CallFault]] = {
    Api.CHAT: _read_chat,
    Api.CHAT_RENDER: _read_chat,
    Api.COMPLETIONS: _read_completion,
    Api.COMPLETIONS_RENDER: _read_completion,
    Api.EMBEDDINGS: _read_embedding,
    Api.RESPONSES: _read_response,
}
"""API -> how its body is read, of those that have types of their own; see `_read_other`."""

# API -> the fields of which it needs one.
NEEDED: Mapping[Api, tuple[str, ...]] = {
    Api.CONVERSATIONS: ("items",),
    Api.IMAGES: ("prompt",),
    Api.MODERATIONS: ("input",),
    Api.RERANK: ("query",),
    Api.SCORE: ("text_1", "queries", "query"),
    Api.MESSAGES: ("messages",),
    Api.COUNT_TOKENS: ("messages",),
    Api.TOKENS: ("token_ids",),
    Api.GENERATE: ("text", "prompt", "input_ids", "input_embeds"),
    Api.TOKENIZE: ("prompt", "messages"),
    Api.DETOKENIZE: ("tokens",),
    Api.PREDICT: ("instances",),
    Api.GEMINI: ("contents",),
}
IDS = ("token_ids", "input_ids", "tokens")
NAMELESS = frozenset(NEEDED) - {Api.MESSAGES, Api.COUNT_TOKENS}
"""APIs whose bodies may leave the model out: then it is the one that is served there."""


def _read_other(asking: Asking) -> Call | CallFault:
    """Read a body by the layout of its API, its long list of token ids apart."""
    rest, ids = asking.body, b""
    for name in IDS:
        if not ids:
            rest, ids = split_ids(rest, name)
    other = msgspec.json.decode(rest, type=Other)
    prose = Prose(ids)
    prose.add_found(read_all(LAYOUTS[asking.api], decoded(rest), False, At("user")))
    for name in IDS:
        prose.add_prompt(getattr(other, name))
    needed = NEEDED[asking.api]
    given = ids or any(_is_given(getattr(other, name)) for name in needed)
    return _call(asking, other, prose, "" if given else needed[0], _most(other))


def _is_given(value: object) -> bool:
    if isinstance(value, msgspec.Raw):
        return bytes(value) not in (b"", b"null", b"[]", b'""')
    return bool(value)


def _most(other: Other) -> int | None:
    """Return the bound on generated tokens; of several prompts' the highest."""
    if other.max_tokens is not None:
        return other.max_tokens
    for config in (other.generationConfig, other.generation_config):
        if config is not None:
            return config.most
    many = other.sampling_params or ()
    params = (many,) if isinstance(many, Limits) else many
    bounds = [p.max_tokens if p.max_new_tokens is None else p.max_new_tokens for p in params]
    return max((bound for bound in bounds if bound is not None), default=None)


def read_grpc(api: Api, content_type: str, body: bytes) -> Call | CallFault:
    """Return the call in a body of gRPC. It names no model: its API has none."""
    if not content_type.startswith(GRPC):
        message = f"content type `{shown(content_type)}` is not understood; send `{GRPC}`"
        return CallFault(Reason.UNSUPPORTED_MEDIA_TYPE, message)
    try:
        asked = grpc.asked(api, body)
    except Unreadable as error:
        return CallFault(Reason.INVALID_REQUEST, f"the request cannot be read: {error.detail}")
    if asked.text is None and not asked.ids:
        return CallFault(Reason.INVALID_REQUEST, "the request has neither a text nor token ids")
    prose = Prose()
    if asked.text is not None:
        prose.add("user", asked.text)
    prose.add_prompt(list(asked.ids))
    tokens = max(1, prose.size // TOKEN_BYTES + prose.token_ids)
    return Call(
        api,
        "",
        tuple(prose.texts),
        tokens,
        asked.max_tokens,
        asked.stream,
        prose.token_ids,
        prose.ids,
    )


def _call(
    asking: Asking, shape: Shape, prose: Prose, absent: str, max_tokens: int | None
) -> Call | CallFault:
    """Return the call, or the first of: its model, a missing field, a doubled field is wrong."""
    model = _model(asking, shape)
    if isinstance(model, CallFault):
        return model
    if absent:
        message = f"`{absent}` is missing or empty; it is required for {PATH_OF[asking.api]}"
        return CallFault(Reason.INVALID_REQUEST, message, absent, model)
    twice = doubled_field(asking.body, type(shape))
    if twice:
        reason = Reason.INVALID_MODEL if twice == "model" else Reason.INVALID_REQUEST
        return CallFault(reason, f"`{twice}` is given twice; give it once", twice)
    salt = shape.cache_salt
    if isinstance(shape, Other) and shape.extra_key:
        salt = shape.extra_key
    return Call(
        asking.api,
        model,
        tuple(prose.texts),
        max(1, prose.size // TOKEN_BYTES + prose.token_ids),
        max_tokens,
        bool(shape.stream) or asking.streams,
        prose.token_ids,
        prose.ids,
        tuple(prose.media),
        canonical(salt),
        asking.named != "",
    )


def _model(asking: Asking, shape: Shape) -> str | CallFault:
    """Return the model that the path or, without one there, the body names."""
    model = asking.named or shape.model
    if model is None or isinstance(model, msgspec.UnsetType):
        if asking.api in NAMELESS:
            return ""
        if model is None:
            return CallFault(Reason.INVALID_MODEL, "`model` must be a string", "model")
        return CallFault(Reason.MISSING_MODEL, "`model` is missing; name one", "model")
    if not is_name(model):
        message = f"`model` must be 1 to {MODEL_CHARS_MAX} printable characters"
        return CallFault(Reason.INVALID_MODEL, message, "model")
    return model
