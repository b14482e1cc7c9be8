"""Judge texts by one guard: cut for its provider, remembered, asked for all at once."""

from collections.abc import Coroutine, Sequence
from itertools import islice

from msgspec.structs import replace

from headrace.extensions.safety.beside import side_by_side, within
from headrace.extensions.safety.contract import (
    CLEAR,
    Asked,
    Judged,
    Judging,
    Kind,
    Trouble,
    Verdict,
)
from headrace.extensions.safety.memory import keyed
from headrace.extensions.safety.post import Post
from headrace.extensions.safety.windows import Cut, batches, cuts, of_pieces, one_verdict

CALLS_MAX = 256  # for the texts of one exchange; a longer prompt is judged in part
LEFT_OUT = "too long to be judged as a whole"

Batch = Sequence[Cut]


def judge(post: Post, asked: Asked, now_s: float) -> Judging:
    """Return the verdict on all of *asked*, however long, or a coroutine that asks for it.

    Its hits are by text of *asked*; nothing is left in `rewritten`. Trouble with any of the
    texts is trouble with all of them.
    """
    reach = post.provider.reach
    pieces = list(cuts(asked.texts, reach.chars_max, post.guard.window.overlap))
    known: list[Verdict] = []
    if post.memory is not None:
        pieces = _unknown(post, asked, pieces, known, now_s)
    if not pieces:
        return one_verdict(known) if known else CLEAR
    if post.breaker is not None and not post.breaker.allows(now_s):
        return Trouble(Kind.OPEN, "the provider failed too often just now")
    found = batches(pieces, reach.texts_max)
    parts = list(islice(found, CALLS_MAX))
    if next(found, None) is not None:
        known.append(Verdict(partial=LEFT_OUT))
    if not reach.local:
        return _ask(post, asked, parts, known, now_s)
    return _together(parts, [_look(post, asked, part) for part in parts], known)


def _screen(post: Post, asked: Asked, part: Batch) -> Judging:
    texts = tuple(piece.text for piece in part)
    return post.provider.screen(replace(asked, texts=texts))


def _look(post: Post, asked: Asked, part: Batch) -> Judged:
    judged = _screen(post, asked, part)
    assert not isinstance(judged, Coroutine), "a local provider answers at once"
    return judged


async def _ask(
    post: Post, asked: Asked, parts: Sequence[Batch], known: list[Verdict], now_s: float
) -> Judged:
    """Ask for what is not known yet, all at once, within the guard's time."""
    due_s = now_s + post.timeout_s
    judged = await side_by_side([_call(post, asked, part, now_s, due_s) for part in parts])
    for part, one in zip(parts, judged, strict=True):
        if isinstance(one, Verdict):
            _remember(post, asked, part, one, now_s)
    whole = _together(parts, judged, known)
    if post.breaker is not None:
        if isinstance(whole, Trouble):
            post.breaker.failed(whole, now_s)
        else:
            post.breaker.answered()
    return whole


async def _call(post: Post, asked: Asked, part: Batch, now_s: float, due_s: float) -> Judged:
    judging = _screen(post, asked, part)
    if isinstance(judging, Coroutine):
        return await within(judging, now_s, due_s)
    return judging


def _together(parts: Sequence[Batch], judged: Sequence[Judged], known: list[Verdict]) -> Judged:
    """Return what *judged*, one for each of *parts*, and what was known say together."""
    verdicts = list(known)
    for part, one in zip(parts, judged, strict=True):
        if isinstance(one, Trouble):
            return one
        verdicts.append(of_pieces(part, one))
    return one_verdict(verdicts)


def _unknown(
    post: Post, asked: Asked, pieces: list[Cut], known: list[Verdict], now_s: float
) -> list[Cut]:
    """Return the *pieces* that nothing is remembered of; add what is to *known*."""
    assert post.memory is not None, "only a guard that remembers comes here"
    unknown: list[Cut] = []
    for piece in pieces:
        verdict = post.memory.get(_key(post, asked, piece), now_s)
        if verdict is None:
            unknown.append(piece)
        else:
            known.append(of_pieces((piece,), verdict))
    return unknown


def _remember(post: Post, asked: Asked, part: Batch, verdict: Verdict, now_s: float) -> None:
    """Keep what *verdict* says of each text by itself, as far as it does."""
    alone = len(part) == 1
    says_where = alone or all(0 <= hit.at < len(part) for hit in verdict.hits)
    if post.memory is None or verdict.partial or not says_where:
        return
    for at, piece in enumerate(part):
        hits = tuple(replace(hit, at=0) for hit in verdict.hits if alone or hit.at == at)
        text = verdict.rewritten.get(at)
        kept = CLEAR
        if hits or text is not None:
            rewritten = {} if text is None else {0: text}
            kept = Verdict(hits, rewritten, code=verdict.code, message=verdict.message)
        post.memory.put(_key(post, asked, piece), kept, now_s)


def _key(post: Post, asked: Asked, piece: Cut) -> bytes:
    """Return the hash of what the verdict on *piece* depends on."""
    text = piece.text
    return keyed(post.key, (asked.direction.value, asked.context.model, text.role, text.text))
