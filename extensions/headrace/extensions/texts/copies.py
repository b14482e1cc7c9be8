"""Take out of an answer what repeats its text where no guard sees it.

Log probabilities have the text token by token, with what else the model thought of saying;
token ids are the text as numbers. Neither can be screened or redacted in its place, so under
a guard that may change or hold back text they go: `null` takes their place.
"""

from headrace.extensions.texts.layout import Json, decoded, steps_of
from headrace.extensions.texts.patch import spliced
from headrace.extensions.texts.values import Path

# The names by which OpenAI, vLLM and SGLang give them; `meta_info` of SGLang has the last ones.
NAMES = frozenset(
    (
        "logprobs", "prompt_logprobs", "logprobsResult",
        "token_ids", "prompt_token_ids", "output_ids",
        "input_token_logprobs", "output_token_logprobs", "input_top_logprobs",
        "output_top_logprobs", "input_token_ids_logprobs", "output_token_ids_logprobs",
    )
)  # fmt: skip
_MARKS = (b"logprobs", b"_ids")


def without_copies(data: bytes) -> bytes:
    """Return *data*, a whole answer or the data of one event, without such; else as it is.

    Raises:
        Unreadable: *data* looks as if it had such and is no JSON.
    """
    # Escapes can hide a name, and are rare in names: then it is looked for.
    if not any(mark in data for mark in _MARKS) and b"\\u00" not in data:
        return data
    paths: list[Path] = []
    _collect(decoded(data), (), paths)
    return spliced(data, dict.fromkeys(paths, b"null")) if paths else data


def _collect(value: Json, path: Path, paths: list[Path]) -> None:
    for step, below in steps_of(value):
        if step not in NAMES:
            _collect(below, (*path, step), paths)
        elif below is not None:
            paths.append((*path, step))
