"""A body that was read: the API call that it is, or why it is none."""

from dataclasses import dataclass

import msgspec

from headrace.extensions.apis import Api
from headrace.extensions.prose import Media, Text
from headrace.extensions.reasons import Reason

MODEL_CHARS_MAX = 256
TOKEN_BYTES = 4  # English text in the tokenizers of current models: four bytes a token


class Call(msgspec.Struct, frozen=True):
    """What a body asks for.

    model          empty where the API lets it out and neither body nor path names one
    texts          every readable piece of prompt text, in order
    prompt_tokens  an estimate: four bytes of UTF-8 a token, at least 1
    max_tokens     the bound on generated tokens that the caller gave, else None
    token_ids      how many tokens of the prompt came as numbers, which nobody here can read
    ids            these numbers, as text with commas between
    media          what else the prompt has, in order
    salt           the caller's own cache: prompts of another salt share no KV blocks with it
    in_path        the model is named by the path, which goes before the body
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
    in_path: bool = False

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


def is_name(model: str) -> bool:
    """Return whether *model* can be a model's name."""
    # The name goes into a header, so nothing that ends a line or is trimmed there may pass.
    return 0 < len(model) <= MODEL_CHARS_MAX and model.isprintable() and model == model.strip()
