"""Which chain of a server is which of our prompts.

A server's hashes are of tokens, ours of bytes, and nobody here knows its tokenizer. But a
request shows the shape of its chain in its usage: with so many cached, prompt and answer
tokens it has stored the blocks from just behind the cached ones to the last that was filled.
Of the runs that grew while it was open, the one of that shape is its own. Where several are,
what is known of the beginning of the prompt decides, and then the age, since servers admit
in order. A mistake is repaired by the next request of the same conversation.
"""

import math
from collections.abc import Mapping

from msgspec import Struct

from headrace.extensions.picker.kv.chains import Block, Chains, Run
from headrace.extensions.picker.prompt import Prompt

SLACK_BLOCKS = 1  # a server may fill one more block, or report one less, than usage lets expect


class Answered(Struct, frozen=True):
    """A request that has ended, and what its server counted.

    tokens  of the prompt; *cached* of these, and *answer* beside
    """

    prompt: Prompt
    picked_s: float
    ended_s: float
    tokens: int
    cached: int
    answer: int


class Found(Struct, frozen=True):
    """The run of a request. *ambiguous*: another one fits as well."""

    run: Run
    ambiguous: bool


def stored_nothing(chains: Chains, request: Answered) -> bool:
    """Return whether *request* filled no block that was not there, so that it has no run.

    A server computes at least the last token anew: of a prompt that it has whole, it says that
    the last block was not cached, and stores nothing.
    """
    start, last = _span(chains, request)
    if last <= start:
        return True
    hashes = request.prompt.hashes
    if not hashes or any(key not in chains.owners for key in hashes):
        return False
    return (chains.owners[hashes[-1]].depth or 0) >= last


def find(chains: Chains, request: Answered, since_s: float) -> Found | None:
    """Return the run of *request* among those that have grown at *since_s* or later.

    None if there is none of its shape, or not yet.
    """
    if not chains.block_tokens:
        return None
    start, last = _span(chains, request)
    fits: list[tuple[tuple[int, int, int], int, Run]] = []
    for run in chains.grown_since(max(since_s, request.picked_s)):
        begin = run.begin
        if begin is None:
            begin = start  # it began where nobody knows; its length must fit to the block
            if run.length != last - start:
                continue
        off = abs(begin + run.length - last)
        if off > SLACK_BLOCKS:
            continue
        agrees = _agrees(chains, run, request)
        exact = off == 0 and begin == start
        if agrees is False and not exact:
            continue
        if agrees is None and begin < start:
            continue  # what was cached was not stored anew, for all that is known
        order = {True: 0, None: 1, False: 2}[agrees]
        fits.append(((order, off, abs(begin - start)), run.number, run))
    if not fits:
        return None
    best = min(fits, key=lambda fit: fit[:2])  # of equals the one that began first
    return Found(best[2], sum(fit[0] == best[0] for fit in fits) > 1)


def claim(chains: Chains, run: Run, request: Answered, block_bytes: int) -> Mapping[int, bool]:
    """Let the prompt of *request* stand on *run*; return of its blocks whether they are there.

    A block of ours ends in the server's block that has the token at the same share of the
    prompt: exact at its end, and off by as much as tokens vary in length in between.
    """
    start, last = _span(chains, request)
    if run.begin is None:
        _number(run, start)
    chains.claim(run)
    path = _path(run.tip)
    prompt, size = request.prompt, chains.block_tokens
    whole = min(request.tokens // size, len(path), last)
    per_block = request.tokens * block_bytes / max(1, prompt.size) / size
    found: dict[int, bool] = {}
    for i, key in enumerate(prompt.hashes):
        at = math.ceil((i + 1) * per_block - 0.5)
        if at > whole:
            found[key] = False  # it ends in a block that its answer fills
            continue
        owner = chains.owners.get(key)
        block = path[max(1, at) - 1]
        if block is not None and (owner is None or not _on(path, owner)):
            _stand(chains, key, block)
            found[key] = block.alive
    if run.tip.alive:
        _stand(chains, prompt.end, run.tip)
        found[prompt.end] = True
    return found


def _stand(chains: Chains, key: int, block: Block) -> None:
    """Let our block *key* be there exactly as long as *block* is."""
    owner = chains.owners.get(key)
    if owner is not None:
        owner.keys = tuple(k for k in owner.keys if k != key)
    if block.alive:
        block.keys = (*block.keys, key)
        chains.owners[key] = block
    else:
        chains.owners.pop(key, None)


def _span(chains: Chains, request: Answered) -> tuple[int, int]:
    """Return behind which block the request stored, and until which."""
    size = chains.block_tokens or 1
    filled = request.tokens + max(0, request.answer - 1)  # the last token is never computed
    return request.cached // size, filled // size


def _agrees(chains: Chains, run: Run, request: Answered) -> bool | None:
    """Return whether *run* goes through what is known of the prompt; None if nothing is."""
    for key in reversed(request.prompt.hashes):
        known = chains.owners.get(key)
        if known is not None and known.depth is not None:
            if run.begin is None:
                return None
            block: Block | None = run.tip
            while block is not None and (block.depth or 0) > known.depth:
                block = block.parent
            return block is known
    return None


def _number(run: Run, start: int) -> None:
    """Give the blocks of *run* their depths: it begins behind *start* blocks."""
    depth = start + run.length
    block: Block | None = run.tip
    while block is not None and depth >= start:
        block.depth = depth
        depth, block = depth - 1, block.parent


def _path(tip: Block) -> list[Block | None]:
    """Return the blocks up to *tip* by depth; None for those that nobody knows."""
    path: list[Block | None] = [None] * (tip.depth or 0)
    block: Block | None = tip
    while block is not None and block.depth:
        if block.depth <= len(path):  # a server may contradict itself about where a block stands
            path[block.depth - 1] = block
        block = block.parent
    return path


def _on(path: list[Block | None], block: Block) -> bool:
    depth = block.depth or 0
    return 0 < depth <= len(path) and path[depth - 1] is block
