"""The usual event of a streamed chat or completion, read in one go: one text, and nothing else.

It comes to what `texts.pieces` says of it; of any other event this says nothing.
"""

import msgspec
from msgspec import UNSET, Struct, UnsetType

from headrace.extensions.call import Api
from headrace.extensions.texts.doubled import is_doubled
from headrace.extensions.texts.values import Channel, Piece, Said


class _Delta(Struct, forbid_unknown_fields=True):
    content: str
    role: str | UnsetType = UNSET
    refusal: UnsetType | None = UNSET


class _Choice(Struct, forbid_unknown_fields=True):
    delta: _Delta
    index: int | UnsetType = UNSET
    finish_reason: UnsetType | None = UNSET
    logprobs: UnsetType | None = UNSET
    stop_reason: UnsetType | None = UNSET


class _Chunk(Struct, forbid_unknown_fields=True):
    choices: list[_Choice]
    id: str | UnsetType = UNSET
    object: str | UnsetType = UNSET
    created: int | UnsetType = UNSET
    model: str | UnsetType = UNSET
    system_fingerprint: str | UnsetType | None = UNSET
    service_tier: str | UnsetType | None = UNSET
    usage: UnsetType | None = UNSET


_chat = msgspec.json.Decoder(_Chunk)
_PATH = ("choices", 0, "delta", "content")
_FIRST = Channel(Said.PROSE)


def the_piece(api: Api, data: bytes) -> Piece | None:
    """Return the only text in *data* if it is one of a usual event, not the last of its choice."""
    if api is not Api.CHAT:
        return None
    try:
        chunk = _chat.decode(data)
    except msgspec.DecodeError:
        return None
    choices = chunk.choices
    if len(choices) != 1 or not choices[0].delta.content or is_doubled(data, chunk):
        return None
    choice = choices[0]
    channel = _FIRST if not choice.index else Channel(Said.PROSE, choice.index)
    return Piece(channel, choice.delta.content, _PATH)
