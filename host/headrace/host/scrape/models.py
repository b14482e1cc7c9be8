"""A server's own list of its models, `/v1/models`. Pure: bytes in, names out."""

from collections.abc import Iterator
from dataclasses import dataclass

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
    """What a server says that it serves. *adapters* are those of *models* that have a parent."""

    models: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()


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
    adapters = {model.id for model in data if model.parent}
    models = tuple(dict.fromkeys(_names(data)))[:MODELS_MAX]
    return Listed(models, tuple(name for name in models if name in adapters))


def _names(data: list[_Model]) -> Iterator[str]:
    for model in data:
        if 0 < len(model.id) <= NAME_CHARS_MAX and model.id.isprintable():
            yield model.id
