"""A prompt as the prefix index knows it: chained hashes of its blocks, and where answers stand.

What a server caches depends on all that goes into its prompt, so all of it is rendered and
hashed: roles, tools, texts, token ids, digests of images and sounds; and model, adapter and
the caller's cache salt are where the chain begins.
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct
from xxhash import xxh3_64_intdigest

from headrace.extensions.call import Call, Media

BLOCK_BYTES = 256  # about 64 tokens: four of vLLM's blocks of 16
BLOCKS_MAX = 4096  # 1 MiB of prompt, about 260,000 tokens; what follows is not looked at
TURNS_MAX = 4  # of the last answers in a conversation, which may be cached where they were made
ASSISTANT = "assistant"
END_SEED = 0x9E3779B97F4A7C15  # so that no block has the hash of an end


class Turn(NamedTuple):
    """An answer that the prompt repeats.

    key    the hash of everything before it, as `Prompt.end` was of the prompt it answered
    after  how many whole blocks end before it
    until  how many whole blocks end before it ends
    """

    key: int
    after: int
    until: int


class Prompt(Struct, frozen=True):
    """A prompt, hashed.

    hashes  one for every whole block, first to last; equal iff the prompts are up to there
    end     the hash of all of it; where an answer to it begins
    size    its bytes, rendered
    turns   the last answers in it, in order
    """

    hashes: Sequence[int] = ()
    end: int = 0
    size: int = 0
    turns: tuple[Turn, ...] = ()


NO_PROMPT = Prompt()


def prompt_of(
    call: Call,
    model: str,
    adapter: str = "",
    *,
    block_bytes: int = BLOCK_BYTES,
    blocks_max: int = BLOCKS_MAX,
) -> Prompt:
    """Return the prompt of *call*, hashed block by block.

    What is left after the last whole block counts for `end` only.
    """
    pieces, answered = _rendered(call)
    data = b"".join(pieces)
    size = len(data)
    if size > block_bytes * blocks_max:
        data = data[: block_bytes * blocks_max]
    start = f"{model}\x1f{adapter}\x1f{call.salt}" if call.salt else f"{model}\x1f{adapter}"
    chain = first = xxh3_64_intdigest(start.encode("utf-8", "surrogatepass"))
    hashes: list[int] = []
    for at in range(0, len(data) - block_bytes + 1, block_bytes):
        chain = xxh3_64_intdigest(data[at : at + block_bytes], chain)
        hashes.append(chain)

    end = xxh3_64_intdigest(data[len(hashes) * block_bytes :], chain ^ END_SEED)
    if True not in answered[1:]:  # what comes first is no answer
        return Prompt(hashes, end, size)

    def end_at(offset: int) -> int:
        whole = offset // block_bytes
        rest = data[whole * block_bytes : offset]
        return xxh3_64_intdigest(rest, (hashes[whole - 1] if whole else first) ^ END_SEED)

    turns: list[Turn] = []
    for begin, stop in _answers(pieces, answered):
        if stop <= len(data):
            turns.append(Turn(end_at(begin), begin // block_bytes, stop // block_bytes))
    return Prompt(hashes, end, size, tuple(turns))


def _rendered(call: Call) -> tuple[list[bytes], list[bool]]:
    """Return the prompt in pieces, and of each whether the model wrote it."""
    texts = call.texts
    pieces = [f"{t.role}\x1f{t.text}\x1e".encode("utf-8", "surrogatepass") for t in texts]
    answered = [t.role == ASSISTANT for t in texts]
    if call.media:
        pieces, answered = _with_media(pieces, answered, call.media)
    if call.ids:
        pieces.append(call.ids)
        answered.append(False)
    return pieces, answered


def _with_media(
    pieces: list[bytes], answered: list[bool], media: Sequence[Media]
) -> tuple[list[bytes], list[bool]]:
    """Return the pieces with the digests of *media*, which are in order, where they belong."""
    merged: list[bytes] = []
    flags: list[bool] = []
    at = 0
    for piece in media:
        merged += pieces[at : piece.at]
        flags += answered[at : piece.at]
        at = piece.at
        merged.append(b"\x1d%016x\x1e" % piece.digest)
        flags.append(False)
    return merged + pieces[at:], flags + answered[at:]


def _answers(pieces: Sequence[bytes], answered: Sequence[bool]) -> list[tuple[int, int]]:
    """Return where the last answers begin and end, in bytes; what comes first is no answer."""
    found: list[tuple[int, int]] = []
    at = 0
    for i, piece in enumerate(pieces):
        end = at + len(piece)
        if answered[i] and i:
            if answered[i - 1] and found:
                found[-1] = (found[-1][0], end)
            else:
                found.append((at, end))
        at = end
    return found[-TURNS_MAX:]
