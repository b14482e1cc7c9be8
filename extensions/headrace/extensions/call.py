"""An inference request body as an API call: parsed once per exchange, seen by every stage.

Owns what the four OpenAI request shapes mean. Reads bytes, never sends any.

What JSON leaves open is decided here: a byte order mark, NaN, Infinity and anything behind
the object are malformed; a top-level field that is read here must not be given twice, since
the model server might take the other one; of any other doubled key the last counts.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from xxhash import xxh3_64_intdigest

from headrace.extensions.apis import KNOWN, PATH_OF
from headrace.extensions.apis import Api as Api
from headrace.extensions.apis import api_of as api_of
from headrace.extensions.reasons import Reason
from headrace.extensions.shapes import (
    MEDIA,
    Chat,
    Completion,
    Embedding,
    Item,
    Items,
    Part,
    Prompt,
    Response,
    Shape,
    canonical,
    doubled_field,
    is_deeper,
    packed_ids,
    split_ids,
)

MODEL_CHARS_MAX = 256
TOKEN_BYTES = 4  # English text in the tokenizers of current models: four bytes a token


class Text(msgspec.Struct, frozen=True):
    """One piece of readable prompt text and who says it (``user``, ``system``, ``tool``, ...)."""

    role: str
    text: str

    def __repr__(self) -> str:
        return f"Text({self.role}, {len(self.text)} characters)"


class Media(msgspec.Struct, frozen=True):
    """An image, a sound or a file: before which of the texts it stands, and its digest."""

    at: int
    digest: int


class Call(msgspec.Struct, frozen=True):
    """What a body asks for.

    texts          every readable piece of prompt text, in order
    prompt_tokens  an estimate: four bytes of UTF-8 a token, at least 1
    max_tokens     the bound on generated tokens that the caller gave, else None
    token_ids      how many tokens of the prompt came as numbers, which nobody here can read
    ids            these numbers, as text with commas between
    media          what else the prompt has, in order
    salt           the caller's own cache: prompts of another salt share no KV blocks with it
    """

    api: Api
    model: str
    texts: tuple[Text, ...]
    prompt_tokens: int
    max_tokens: int | None
    stream: bool
    token_ids: int = 0
    ids: bytes = b""
    media: tuple[Media, ...] = ()
    salt: str = ""

    def __repr__(self) -> str:
        return f"Call({self.api.value}, {self.model}, {self.prompt_tokens} tokens)"


@dataclass(frozen=True, slots=True)
class CallFault:
    """Why a body is no call. *model* is what it named, if that much could be read."""

    reason: Reason
    message: str
    param: str | None = None
    model: str = ""


def shown(text: str, chars_max: int = 128) -> str:
    """Return *text* of a caller as it may stand in a message: printable, short, no query."""
    bare = text[: chars_max + 1].partition("?")[0]
    clean = "".join(char if char.isprintable() else "." for char in bare)
    return clean if len(clean) <= chars_max else f"{clean[:chars_max]}..."


def parse_call(path: str, content_type: str, body: bytes, depth_max: int = 64) -> Call | CallFault:
    """Return what *body* asks for, or why it cannot be told. Raises nothing, takes linear time.

    Without a *path*, which only a peer other than Envoy leaves out, its fields tell the API.
    """
    api = api_of(path)
    if path and (api is None or api not in READERS):
        message = f"no inference API at path `{shown(path)}`; known: {KNOWN}"
        return CallFault(Reason.UNKNOWN_PATH, message)
    fault = _unreadable(content_type, body, depth_max)
    if fault is not None:
        return fault
    try:
        return READERS[api or _likely(body)](body)
    except (msgspec.DecodeError, RecursionError) as error:
        return _explain(body, error)


def _likely(body: bytes) -> Api:
    """Return the API that the top-level fields of *body* are of.

    Raises:
        msgspec.DecodeError: *body* is no JSON object.
    """
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    for name, api in (("messages", Api.CHAT), ("input", Api.RESPONSES)):
        if name in fields:
            return api
    return Api.COMPLETIONS


def _unreadable(content_type: str, body: bytes, depth_max: int) -> CallFault | None:
    """Return what is wrong with *body* before it is looked into."""
    if content_type not in ("application/json", "") and not _is_json(content_type):
        media = content_type.partition(";")[0].strip()
        message = f"content type `{shown(media)}` is not understood; send `application/json`"
        return CallFault(Reason.UNSUPPORTED_MEDIA_TYPE, message)
    if not body or body.isspace():
        return CallFault(Reason.MALFORMED_JSON, "the body is empty; send a JSON object")
    if body.startswith(b"\xef\xbb\xbf"):
        message = "the body begins with a byte order mark; send UTF-8 without one"
        return CallFault(Reason.MALFORMED_JSON, message)
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            message = f"the body is not UTF-8: bad byte at offset {error.start}"
            return CallFault(Reason.INVALID_UTF8, message)
    if is_deeper(body, depth_max):
        message = f"the body nests deeper than {depth_max} levels; flatten it"
        return CallFault(Reason.JSON_TOO_DEEP, message)
    return None


def _is_json(content_type: str) -> bool:
    media = content_type.partition(";")[0].strip().lower()
    if media in ("", "application/json"):
        return True
    return media.startswith("application/") and media.endswith("+json")


def _read_chat(body: bytes) -> Call | CallFault:
    chat = msgspec.json.decode(body, type=Chat)
    prose = _Prose()
    prose.add_raw("tools", chat.tools)
    prose.add_raw("tools", chat.functions)
    prose.add_items(chat.messages or [])
    most = chat.max_tokens if chat.max_completion_tokens is None else chat.max_completion_tokens
    present = bool(chat.messages)
    return _call(body, Api.CHAT, chat, prose, "messages" if not present else "", most)


def _read_completion(body: bytes) -> Call | CallFault:
    rest, ids = split_ids(body, "prompt")
    completion = msgspec.json.decode(rest, type=Completion)
    prose = _Prose(ids)
    prose.add_prompt(completion.prompt)
    if completion.suffix:
        prose.add("user", completion.suffix)
    absent = "prompt" if completion.prompt in (None, []) and not ids else ""
    return _call(body, Api.COMPLETIONS, completion, prose, absent, completion.max_tokens)


def _read_embedding(body: bytes) -> Call | CallFault:
    rest, ids = split_ids(body, "input")
    embedding = msgspec.json.decode(rest, type=Embedding)
    prose = _Prose(ids)
    prose.add_prompt(embedding.input)
    # Some servers embed a chat instead of an input.
    prose.add_items(embedding.messages or [])
    given = ids or embedding.messages or embedding.input not in (None, [])
    absent = "" if given else "input"
    return _call(body, Api.EMBEDDINGS, embedding, prose, absent, None)


def _read_response(body: bytes) -> Call | CallFault:
    response = msgspec.json.decode(body, type=Response)
    prose = _Prose()
    prose.add_raw("tools", response.tools)
    if response.instructions:
        prose.add("system", response.instructions)
    prose.add_raw("system", response.prompt)
    if isinstance(response.input, str):
        prose.add("user", response.input)
    else:
        prose.add_items(response.input or [])
    absent = "input" if response.input in (None, []) else ""
    return _call(body, Api.RESPONSES, response, prose, absent, response.max_output_tokens)


READERS: dict[Api, Callable[[bytes], Call | CallFault]] = {
    Api.CHAT: _read_chat,
    Api.COMPLETIONS: _read_completion,
    Api.EMBEDDINGS: _read_embedding,
    Api.RESPONSES: _read_response,
}


class _Prose:
    """Collects the texts of one body; lives as long as one call of `parse_call`."""

    __slots__ = ("ids", "media", "size", "texts", "token_ids")

    def __init__(self, ids: bytes = b"") -> None:
        self.texts: list[Text] = []
        self.size = 0
        self.token_ids = ids.count(b",") + 1 if ids else 0
        self.ids = ids
        self.media: list[Media] = []

    def add(self, role: str, text: str) -> None:
        self.texts.append(Text(role, text))
        self.size += len(text) if text.isascii() else len(text.encode())

    def add_raw(self, role: str, raw: msgspec.Raw) -> None:
        text = canonical(raw)
        if text:
            self.add(role, text)

    def add_items(self, items: Items) -> None:
        for item in items:
            if isinstance(item, str):
                self.add("user", item)
            else:
                self._add_item(item)

    def _add_item(self, item: Item) -> None:
        content = item.content
        if isinstance(content, str):
            self.add(item.role, content)
        elif content:
            for part in content:
                text = part if isinstance(part, str) else part.text
                if text is not None:
                    self.add(item.role, text)
                elif isinstance(part, Part):
                    self._add_media(part)
        if item.text is not None:
            self.add(item.role, item.text)
        for raw in (item.tool_calls, item.function_call, item.arguments, item.output):
            if raw:
                self.add_raw("tool", raw)

    def _add_media(self, part: Part) -> None:
        """Take the digest of what *part* names or carries; megabytes take a fraction of a ms."""
        for name in MEDIA:
            raw: msgspec.Raw = getattr(part, name)
            if raw:
                digest = xxh3_64_intdigest(name.encode() + bytes(raw))
                self.media.append(Media(len(self.texts), digest))

    def add_prompt(self, prompt: Prompt | None) -> None:
        if isinstance(prompt, str):
            self.add("user", prompt)
            return
        numbers: list[int] = []
        for piece in prompt or ():
            if isinstance(piece, int):
                numbers.append(piece)
            elif isinstance(piece, str):
                self.add("user", piece)
            else:
                numbers += piece
        if numbers:
            self.token_ids = len(numbers)
            self.ids = packed_ids(numbers)


def _call(
    body: bytes,
    api: Api,
    shape: Shape,
    prose: _Prose,
    absent: str,
    max_tokens: int | None,
) -> Call | CallFault:
    """Return the call, or the first of: its model, a missing field, a doubled field is wrong."""
    model = shape.model
    if isinstance(model, msgspec.UnsetType):
        return CallFault(Reason.MISSING_MODEL, "`model` is missing; name one", "model")
    if not is_name(model):
        message = f"`model` must be 1 to {MODEL_CHARS_MAX} printable characters"
        return CallFault(Reason.INVALID_MODEL, message, "model")
    if absent:
        message = f"`{absent}` is missing or empty; it is required for {PATH_OF[api]}"
        return CallFault(Reason.INVALID_REQUEST, message, absent, model)
    twice = doubled_field(body, type(shape))
    if twice:
        reason = Reason.INVALID_MODEL if twice == "model" else Reason.INVALID_REQUEST
        return CallFault(reason, f"`{twice}` is given twice; give it once", twice)
    tokens = max(1, prose.size // TOKEN_BYTES + prose.token_ids)
    stream = bool(shape.stream)
    return Call(
        api,
        model,
        tuple(prose.texts),
        tokens,
        max_tokens,
        stream,
        prose.token_ids,
        prose.ids,
        tuple(prose.media),
        canonical(shape.cache_salt),
    )


def is_name(model: str) -> bool:
    """Return whether *model* can be a model's name."""
    # The name goes into a header, so nothing that ends a line or is trimmed there may pass.
    return 0 < len(model) <= MODEL_CHARS_MAX and model.isprintable() and model == model.strip()


def _explain(body: bytes, error: Exception) -> CallFault:
    """Return the fault that *error* is, malformed JSON before a wrong model before the rest."""
    if isinstance(error, RecursionError):
        return CallFault(Reason.JSON_TOO_DEEP, "the body nests too deeply; flatten it")
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return CallFault(Reason.INVALID_REQUEST, "the body must be a JSON object")
    except msgspec.DecodeError as malformed:
        # The decoder names bytes by offset and never quotes the body.
        where = str(malformed).removeprefix("JSON is malformed: ").lower()
        return CallFault(Reason.MALFORMED_JSON, f"the body is malformed JSON: {where}")
    if "model" not in fields:
        return CallFault(Reason.MISSING_MODEL, "`model` is missing; name one", "model")
    try:
        model = msgspec.json.decode(fields["model"], type=str)
    except msgspec.DecodeError:
        return CallFault(Reason.INVALID_MODEL, "`model` must be a string", "model")
    what, _, where = str(error).partition(" - at `$.")
    param = where.rstrip("`") or None
    problem = f"{what[:1].lower()}{what[1:]}".replace(" | null", "")
    message = f"`{param}`: {problem}" if param else problem
    name = model if is_name(model) else ""
    return CallFault(Reason.INVALID_REQUEST, message, param, name)
