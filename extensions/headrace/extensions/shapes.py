"""The request bodies as far as they are read by type, and what a decoder does not tell.

A field that is not listed here is skipped at the decoder's speed and never becomes an object.
"""

from array import array
from itertools import accumulate
from typing import Annotated, Any

import msgspec

# A list may fill the whole body, so its length is bounded apart: what is made of an item
# takes far longer than its bytes. The longest contexts in use have a million tokens.
ITEMS_MAX = 16_384
TOKEN_IDS_MAX = 1 << 20
IDS_BYTES_MIN = 4096  # of a body that is looked at for a long list of token ids
QUOTES_MAX = 1024  # in a body that is cut at its quotes

Count = Annotated[int, msgspec.Meta(ge=0)]
NO_RAW = msgspec.Raw()


class Part(msgspec.Struct, gc=False):
    """One part of a message's content. Only text is read; of the rest a digest is taken."""

    text: str | None = None
    refusal: str | None = None
    thinking: str | None = None
    image_url: msgspec.Raw = NO_RAW
    input_audio: msgspec.Raw = NO_RAW
    audio_url: msgspec.Raw = NO_RAW
    video_url: msgspec.Raw = NO_RAW
    image_embeds: msgspec.Raw = NO_RAW
    file: msgspec.Raw = NO_RAW
    file_id: msgspec.Raw = NO_RAW
    file_data: msgspec.Raw = NO_RAW
    file_url: msgspec.Raw = NO_RAW


SAID = ("text", "refusal", "thinking")
MEDIA = tuple(name for name in Part.__struct_fields__ if name not in SAID)
Parts = Annotated[list[str | Part], msgspec.Meta(max_length=ITEMS_MAX)]


class Message(msgspec.Struct, gc=False):
    """A message of a chat. The fields that are Raw have several shapes; see `texts.asked`."""

    role: str = "user"
    content: str | Parts | None = None
    text: str | None = None
    tool_calls: msgspec.Raw = NO_RAW
    function_call: msgspec.Raw = NO_RAW
    reasoning: msgspec.Raw = NO_RAW
    reasoning_content: msgspec.Raw = NO_RAW
    refusal: msgspec.Raw = NO_RAW
    name: msgspec.Raw = NO_RAW
    tools: msgspec.Raw = NO_RAW


class Item(msgspec.Struct, gc=False):
    """What the responses API takes in place of a message: one, or what a tool or the model did."""

    type: str | None = None
    role: str | None = None
    content: str | Parts | None = None
    text: str | None = None
    name: msgspec.Raw = NO_RAW
    arguments: msgspec.Raw = NO_RAW
    input: msgspec.Raw = NO_RAW
    action: msgspec.Raw = NO_RAW
    code: msgspec.Raw = NO_RAW
    queries: msgspec.Raw = NO_RAW
    output: msgspec.Raw = NO_RAW
    outputs: msgspec.Raw = NO_RAW
    results: msgspec.Raw = NO_RAW
    summary: msgspec.Raw = NO_RAW
    tool_calls: msgspec.Raw = NO_RAW
    function_call: msgspec.Raw = NO_RAW


Items = list[Message] | list[str | Item]
Messages = Annotated[list[Message], msgspec.Meta(max_length=ITEMS_MAX)]
Inputs = Annotated[list[str | Item], msgspec.Meta(max_length=ITEMS_MAX)]
Prompt = str | Annotated[list[str | int | list[int]], msgspec.Meta(max_length=TOKEN_IDS_MAX)]

TokenId = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
Ids = Annotated[list[TokenId | list[TokenId]], msgspec.Meta(max_length=TOKEN_IDS_MAX)]


class Bounded(msgspec.Struct, gc=False):
    """What bounds an answer, in a body of any API that has it; see `texts.asked.BOUNDS`."""

    structured_outputs: msgspec.Raw = NO_RAW
    guided_json: msgspec.Raw = NO_RAW
    guided_regex: msgspec.Raw = NO_RAW
    guided_choice: msgspec.Raw = NO_RAW
    guided_grammar: msgspec.Raw = NO_RAW
    json_schema: msgspec.Raw = NO_RAW
    regex: msgspec.Raw = NO_RAW
    ebnf: msgspec.Raw = NO_RAW


class Chat(Bounded, gc=False):
    """`/v1/chat/completions`."""

    model: str | msgspec.UnsetType = msgspec.UNSET
    messages: Messages | None = None
    stream: bool | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    tools: msgspec.Raw = NO_RAW
    functions: msgspec.Raw = NO_RAW
    chat_template: msgspec.Raw = NO_RAW
    chat_template_kwargs: msgspec.Raw = NO_RAW
    documents: msgspec.Raw = NO_RAW
    response_format: msgspec.Raw = NO_RAW
    prediction: msgspec.Raw = NO_RAW
    web_search_options: msgspec.Raw = NO_RAW
    cache_salt: msgspec.Raw = NO_RAW


class Completion(Bounded, gc=False):
    """`/v1/completions`."""

    model: str | msgspec.UnsetType = msgspec.UNSET
    prompt: Prompt | None = None
    suffix: str | None = None
    stream: bool | None = None
    max_tokens: Count | None = None
    cache_salt: msgspec.Raw = NO_RAW


class Embedding(msgspec.Struct, gc=False):
    """`/v1/embeddings`."""

    model: str | msgspec.UnsetType = msgspec.UNSET
    input: Prompt | None = None
    messages: Messages | None = None
    stream: bool | None = None
    cache_salt: msgspec.Raw = NO_RAW


class Response(Bounded, gc=False):
    """`/v1/responses`."""

    model: str | msgspec.UnsetType = msgspec.UNSET
    input: str | Inputs | None = None
    instructions: str | None = None
    prompt: msgspec.Raw = NO_RAW
    text: msgspec.Raw = NO_RAW
    stream: bool | None = None
    max_output_tokens: Count | None = None
    tools: msgspec.Raw = NO_RAW
    cache_salt: msgspec.Raw = NO_RAW


class Limits(msgspec.Struct, gc=False):
    """`sampling_params` of vLLM and SGLang."""

    max_tokens: Count | None = None
    max_new_tokens: Count | None = None


class Generation(msgspec.Struct, gc=False):
    """`generationConfig` of Gemini, in either spelling of its fields."""

    maxOutputTokens: Count | None = None
    max_output_tokens: Count | None = None

    @property
    def most(self) -> int | None:
        """The bound on generated tokens."""
        return self.max_output_tokens if self.maxOutputTokens is None else self.maxOutputTokens


class Other(msgspec.Struct, gc=False):
    """The bodies of all other APIs: what says what is wanted, and where its text is, unread."""

    model: str | msgspec.UnsetType | None = msgspec.UNSET
    stream: bool | None = None
    max_tokens: Count | None = None
    sampling_params: Limits | list[Limits] | None = None
    input_ids: Ids | None = None
    token_ids: Ids | None = None
    tokens: Ids | None = None
    messages: msgspec.Raw = NO_RAW
    system: msgspec.Raw = NO_RAW
    tools: msgspec.Raw = NO_RAW
    items: msgspec.Raw = NO_RAW
    prompt: msgspec.Raw = NO_RAW
    text: msgspec.Raw = NO_RAW
    input: msgspec.Raw = NO_RAW
    query: msgspec.Raw = NO_RAW
    documents: msgspec.Raw = NO_RAW
    text_1: msgspec.Raw = NO_RAW
    text_2: msgspec.Raw = NO_RAW
    queries: msgspec.Raw = NO_RAW
    instances: msgspec.Raw = NO_RAW
    parameters: msgspec.Raw = NO_RAW
    contents: msgspec.Raw = NO_RAW
    systemInstruction: msgspec.Raw = NO_RAW
    system_instruction: msgspec.Raw = NO_RAW
    generationConfig: Generation | None = None
    generation_config: Generation | None = None
    input_embeds: msgspec.Raw = NO_RAW
    extra_key: msgspec.Raw = NO_RAW
    cache_salt: msgspec.Raw = NO_RAW


Shape = Chat | Completion | Embedding | Response | Other


def _watch(shape: type[Shape]) -> type[msgspec.Struct]:
    """Return *shape* with a type of its own for each field: so a hook can tell them apart."""
    marks = [(name, type(name, (), {}), None) for name in shape.__struct_fields__]
    return msgspec.defstruct(f"{shape.__name__}Watch", marks)


_SHAPES: tuple[type[Shape], ...] = (Chat, Completion, Embedding, Response, Other)
_WATCHES = {shape: _watch(shape) for shape in _SHAPES}
_NAMES = {s: frozenset(name.encode() for name in s.__struct_fields__) for s in _SHAPES}
_NEEDLES = {s: tuple(b'"%b"' % name for name in names) for s, names in _NAMES.items()}


def doubled_field(body: bytes, shape: type[Shape]) -> str:
    """Return a field of *shape* that *body*, which is valid, gives twice; ``""`` if none.

    The decoder keeps the last of two without a word. So the cheap question comes first:
    can there be two at all, spelt plainly or with a ``\\u00`` escape in the key?
    """
    escaped = b"\\" in body and b"\\u00" in body
    if not escaped and not _repeats(body, shape):
        return ""
    seen: set[str] = set()
    twice: list[str] = []

    def note(mark: type, _: object) -> object:
        name = mark.__name__
        if name in seen:
            twice.append(name)
        seen.add(name)
        return mark()

    msgspec.json.decode(body, type=_WATCHES[shape], dec_hook=note)
    return "model" if "model" in twice else "".join(twice[:1])


def _repeats(body: bytes, shape: type[Shape]) -> bool:
    """Return whether the quoted name of a field of *shape* stands in *body* more than once.

    A long prompt has few quotes, so one cut at them is cheaper than a search for each name.
    """
    if body.count(b'"') > QUOTES_MAX:
        return max(map(body.count, _NEEDLES[shape])) > 1
    names = _NAMES[shape]
    found = [piece for piece in body.split(b'"') if piece in names]
    return len(found) > len(set(found))


def canonical(raw: msgspec.Raw) -> str:
    """Return *raw* JSON as text without needless escapes: a string as itself, else compact JSON.

    Empty for nothing and for null. Two spellings of one value give one text, so that neither
    a screen nor the prefix index can be led astray by escapes.
    """
    if not raw:
        return ""
    # Any: whatever JSON the caller put there.
    value: Any = msgspec.json.decode(raw)
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def packed_ids(ids: list[int]) -> bytes:
    """Return token *ids* as text, as they stand in JSON without blanks."""
    return ",".join(map(str, ids)).encode()


def split_ids(body: bytes, name: str) -> tuple[bytes, bytes]:
    """Return *body* without its field *name* if that is a long list of token ids, and the ids.

    Without making a number of each: that takes longer than all else that is done to a prompt.
    Anything else is left as it is, to be read and judged the usual way.
    """
    if len(body) < IDS_BYTES_MIN:
        return body, b""
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    raw = bytes(fields.get(name, b""))
    if raw[:1] != b"[" or raw.translate(None, _IDS) != b"[]":
        return body, b""
    ids = raw.translate(None, _BLANK)
    if not ids or ids.count(b",") >= TOKEN_IDS_MAX:
        return body, b""
    del fields[name]
    return msgspec.json.encode(fields), ids


_BLANK = b"[] \t\r\n"
_IDS = b"0123456789, \t\r\n"
_KEPT = b'"[]{}'
_DROPPED = bytes(sorted(set(range(256)) - set(_KEPT)))
# Read as signed bytes: +1 opens, -1 closes.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_BLOCK_BYTES = 1 << 16


def is_deeper(body: bytes, depth_max: int) -> bool:
    """Return whether *body* nests arrays and objects deeper than *depth_max*.

    Takes no recursion, bounded memory beside a copy, and time linear in the body: escapes
    are dropped, then all but quotes and brackets, then what lies between two quotes.
    """
    if body.count(b"[") + body.count(b"{") <= depth_max:
        return False
    marks = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _DROPPED)
    depth, in_string = 0, False
    for start in range(0, len(marks), _BLOCK_BYTES):
        pieces = marks[start : start + _BLOCK_BYTES].split(b'"')
        steps = array("b", b"".join(pieces[in_string::2]).translate(_STEPS))
        in_string ^= len(pieces) % 2 == 0
        if max(accumulate(steps, initial=depth)) > depth_max:
            return True
        depth += sum(steps)
    return False
