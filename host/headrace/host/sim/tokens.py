"""Text to tokens, cheaply: pieces of text, and chained hashes of blocks of pieces.

A piece is up to six characters of a word with the space before it, one whole chat marker such
as `<|im_end|>`, or one other blank: about four bytes of English. The pieces of a text joined
are the text, so a block of tokens is a substring, and equal prefixes give equal hashes.
"""

import re
from collections.abc import Iterable, Sequence

import xxhash

from headrace.host.sim.blocks import BLOCK_TOKENS

_PIECE = re.compile(r"<\|\w{1,32}\|>| ?[^\s<]{1,6}|[\s<]")


def tokenize(text: str) -> list[str]:
    """Return the pieces of *text*; joined, they are the text."""
    return _PIECE.findall(text)


def id_pieces(ids: Iterable[int]) -> list[str]:
    """Return one piece for each token id of a prompt that came as token ids."""
    return [f" #{number}" for number in ids]


def block_hashes(pieces: Sequence[str], salt: str = "") -> tuple[int, ...]:
    """Return a chained hash for each full block of *pieces*.

    A hash stands for its block and all before it. *salt* (an adapter's name) separates caches
    that must not share blocks.
    """
    parent = xxhash.xxh3_64_intdigest(salt.encode("utf-8", "surrogatepass"))
    hashes: list[int] = []
    for start in range(0, len(pieces) - BLOCK_TOKENS + 1, BLOCK_TOKENS):
        block = "\0".join(pieces[start : start + BLOCK_TOKENS])
        parent = xxhash.xxh3_64_intdigest(block.encode("utf-8", "surrogatepass"), seed=parent)
        hashes.append(parent)
    return tuple(hashes)


def fingerprint(pieces: Iterable[str]) -> int:
    """Return a 64-bit number that depends on every one of *pieces*, the same in any process."""
    return xxhash.xxh3_64_intdigest("\0".join(pieces).encode("utf-8", "surrogatepass"))
