"""The usual event of a streamed chat or completion, read in one go: one text, and nothing else.

It comes to what `texts.pieces` says of it; of any other event this says nothing.
"""

import msgspec
from msgspec import UNSET, Struct, UnsetType

from headrace.extensions.call import Api
from headrace.extensions.texts.values import Channel, Piece, Said


class _Delta(Struct, forbid_unknown_fields=True):
    content: str
    role: str | UnsetType = UNSET
    refusal: None = None


class _Choice(Struct, forbid_unknown_fields=True):
    delta: _Delta
    index: int = 0
    finish_reason: None = None
    logprobs: None = None
    stop_reason: None = None


class _Chunk(Struct, forbid_unknown_fields=True):
    choices: list[_Choice]
    id: str = ""
    object: str = ""
    created: int = 0
    model: str = ""
    system_fingerprint: str | None = None
    service_tier: str | None = None
    usage: None = None


_chat = msgspec.json.Decoder(_Chunk)
_PATH = ("choices", 0, "delta", "content")
_FIRST = Channel(Said.PROSE)
_NAME = b'"content"'  # no delta is without


def the_piece(api: Api, data: bytes) -> Piece | None:
    """Return the only text in *data* if it is one of a usual event, not the last of its choice."""
    if api is not Api.CHAT:
        return None
    try:
        choices = _chat.decode(data).choices
    except msgspec.DecodeError:
        return None
    if len(choices) != 1 or not choices[0].delta.content:
        return None
    # Of two texts, in one delta or two, the decoder keeps the last; a name may be spelt in escapes.
    if data.count(_NAME) > 1 or b"\\u00" in data:
        return None
    choice = choices[0]
    channel = _FIRST if not choice.index else Channel(Said.PROSE, choice.index)
    return Piece(channel, choice.delta.content, _PATH)
