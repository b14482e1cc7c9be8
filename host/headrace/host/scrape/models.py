"""A server's own list of its models, `/v1/models`. Pure: bytes in, names out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

MODELS_MAX = 256
NAME_CHARS_MAX = 256
BYTES_MAX = 1024 * 1024


class _Model(msgspec.Struct):
    id: str = ""
    parent: str | None = None


class _List(msgspec.Struct):
    data: list[_Model] = []


@dataclass(frozen=True, slots=True)
class Listed:
    """What a server says that it serves.

    bases  those of *models* that are adapters: they have a parent, their base model; empty if
           what it is called is no name
    """

    models: tuple[str, ...] = ()
    bases: Mapping[str, str] = field(default_factory=dict[str, str])


class ListFault(Exception):
    """The page is no list of models; the text says why."""


_decode = msgspec.json.Decoder(_List).decode


def read_models(page: bytes) -> Listed:
    """Return the models that *page* names, the first `MODELS_MAX` of them, each once.

    Raises:
        ListFault: it is none of OpenAI's lists.
    """
    try:
        data = _decode(page).data
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ListFault(f"no list of models: {error}"[:NAME_CHARS_MAX]) from error
    parents = {m.id: m.parent if _is_name(m.parent) else "" for m in data if m.parent}
    models = tuple(dict.fromkeys(_names(data)))[:MODELS_MAX]
    return Listed(models, {name: parents[name] for name in models if name in parents})


def _names(data: list[_Model]) -> Iterator[str]:
    for model in data:
        if _is_name(model.id):
            yield model.id


def _is_name(text: str) -> bool:
    return 0 < len(text) <= NAME_CHARS_MAX and text.isprintable()
