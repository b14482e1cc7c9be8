"""Texts cut for a provider that takes only so much at once, and what it finds put together again.

Neighbouring pieces of a text overlap, so that what stands at a cut is seen whole by one of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from headrace.extensions.call import Text
from headrace.extensions.safety.contract import Hit, Verdict
from headrace.extensions.safety.edits import Edit, difference

HITS_MAX = 10_000  # of one text; a provider that finds more has the whole text against it


class Cut(Struct, frozen=True):
    """A piece of a text: of which, from 0, from which of its characters, and whether it is all."""

    of: int
    start: int
    text: Text
    whole: bool = True


def cuts(texts: Sequence[Text], chars_max: int, overlap: int) -> Iterator[Cut]:
    """Yield *texts* in pieces of at most *chars_max*; each repeats *overlap* of the last.

    Texts without a character have nothing to judge and are left out.
    """
    step = max(1, chars_max - max(0, min(overlap, chars_max - 1)))
    for at, text in enumerate(texts):
        size = len(text.text)
        if size <= chars_max:
            if size:
                yield Cut(at, 0, text)
            continue
        for start in range(0, size - chars_max + step, step):
            piece = text.text[start : start + chars_max]
            yield Cut(at, start, Text(text.role, piece), whole=False)


def batches(pieces: Sequence[Cut], texts_max: int) -> Iterator[Sequence[Cut]]:
    """Yield *pieces* by the most that one call takes. Two pieces of a text are in two calls.

    A provider that judges its texts as one conversation would take an overlap for a repetition.
    """
    batch: list[Cut] = []
    for piece in pieces:
        if len(batch) >= texts_max or (batch and not piece.whole):
            yield batch
            batch = []
        batch.append(piece)
        if not piece.whole:
            yield batch
            batch = []
    if batch:
        yield batch


def of_pieces(pieces: Sequence[Cut], verdict: Verdict) -> Verdict:
    """Return *verdict* on *pieces* as one on the texts they are of.

    What a provider would have instead of a text becomes the hits that make it so.
    """
    changes = {at: _change(pieces, at, text) for at, text in verdict.rewritten.items()}
    hits = [_moved(hit, pieces, changes) for hit in verdict.hits]
    what = verdict.hits[0].what if verdict.hits else "rewritten"
    for at, change in changes.items():
        if change is not None:
            hits.append(_of_change(pieces[at], change, what))
    return replace(verdict, hits=_bounded(hits), rewritten={})


def one_verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """Return all that *verdicts* on the same texts say; the first error code counts."""
    if len(verdicts) == 1:
        return verdicts[0]
    coded = next((v for v in verdicts if v.code or v.message), None)
    return Verdict(
        hits=_bounded([hit for v in verdicts for hit in v.hits]),
        partial=next((v.partial for v in verdicts if v.partial), ""),
        code=coded.code if coded else "",
        message=coded.message if coded else "",
    )


def _moved(hit: Hit, pieces: Sequence[Cut], changes: Mapping[int, Edit | None]) -> Hit:
    """Return *hit* by the place in its text; one of a piece is never one of a whole long text.

    A hit that does not say where is about what the provider has rewritten, if it has.
    """
    at = 0 if len(pieces) == 1 else hit.at
    if not 0 <= at < len(pieces):
        return replace(hit, at=-1, start=0, end=0)
    piece, change = pieces[at], changes.get(at)
    if hit.start == hit.end == 0:
        if change is not None:
            return _of_change(piece, change, hit.what)
        if piece.whole:
            return replace(hit, at=piece.of)
        return replace(hit, at=piece.of, start=piece.start, end=piece.start + len(piece.text.text))
    start, end = piece.start + hit.start, piece.start + hit.end
    return replace(hit, at=piece.of, start=start, end=end)


def _change(pieces: Sequence[Cut], at: int, text: str) -> Edit | None:
    return difference(pieces[at].text.text, text) if 0 <= at < len(pieces) else None


def _of_change(piece: Cut, change: Edit, what: str) -> Hit:
    at = piece.start
    return Hit(what, piece.of, at + change.start, at + change.end, change.text)


def _bounded(hits: list[Hit]) -> tuple[Hit, ...]:
    """Return each of *hits* once; of a text with too many, one that takes all of it."""
    found = list(dict.fromkeys(hits))
    if len(found) <= HITS_MAX:
        return tuple(found)
    kept: list[Hit] = []
    for at, group in groupby(sorted(found, key=lambda hit: hit.at), key=lambda hit: hit.at):
        same = list(group)
        kept += same if len(same) <= HITS_MAX else [Hit(same[0].what, at)]
    return tuple(kept)
