"""One text of a stream while it is being written, and how far each guard has judged it.

Places are counted in characters from the beginning of the text, as the model wrote it.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from headrace.dsl.guarding import Streamed
from headrace.extensions.safety.contract import Hit, Verdict
from headrace.extensions.safety.edits import REDACTED, Edit, applied, edits, merged
from headrace.extensions.safety.meaning import settled as meant
from headrace.extensions.safety.post import Post
from headrace.extensions.safety.sentences import full
from headrace.extensions.texts.values import Channel, Said

LOOK_BACK = 8  # characters before a place that tell whether a match may begin there
KEPT_CHARS_MIN = 64  # before what is not judged
GROWN_CHARS_MAX = 1 << 14  # a match that goes on for longer is taken as it is
CLUSTER = 4  # overlapping finds that go on for so many overlaps are not waited for


class Turn(Struct, frozen=True):
    """What a guard is to judge next: the characters [start, end), of which those before *new* are
    judged already; *last*: the text ends here."""

    start: int
    new: int
    end: int
    last: bool


class Strand:
    """One text of one stream. Written by its hold-back.

    end       how many characters there are by now
    cleared   up to where it may go on: every guard that holds has said its last word
    ended     nothing more comes, as far as one can tell
    is_source  it is source of JSON, to be judged by what it means
    kept_from  where the characters begin that may be looked at again
    released  up to where it has gone on
    waiting   pieces of it in events that are held
    """

    __slots__ = (
        "_barriers",
        "_edits",
        "_gone",
        "_holding",
        "_judged",
        "_keep",
        "_missed",
        "_resumed",
        "_settled",
        "_text",
        "channel",
        "cleared",
        "end",
        "ended",
        "is_source",
        "kept_from",
        "released",
        "waiting",
    )

    def __init__(self, channel: Channel, posts: Sequence[Post]) -> None:
        self.channel = channel
        self.end = self.cleared = 0
        self.ended = False
        self._resumed = -1  # where it went on after it had ended
        self.is_source = channel.said is Said.TOOL_CALL
        self.released = 0
        self.waiting = 0
        self._holding = [
            at for at, post in enumerate(posts) if post.guard.streamed is Streamed.HOLD
        ]
        self._keep = max([KEPT_CHARS_MIN, *(post.guard.window.overlap for post in posts)])
        self._text = ""
        self.kept_from = 0
        self._gone: list[str] = []
        self._missed: list[list[tuple[int, int]]] = [[] for _ in posts]
        self._judged = [0] * len(posts)  # up to where each guard has looked
        self._settled = [0] * len(posts)  # up to where what each has said is final
        self._barriers = [0] * len(posts)  # where its last find ends: no other reaches over that
        self._edits: tuple[Edit, ...] = ()

    @property
    def edit_count(self) -> int:
        """How many changes there are by now."""
        return len(self._edits)

    def whole(self) -> str:
        """Return all of it."""
        return "".join((*self._gone, self._text))

    def add(self, text: str) -> int:
        """Take what the model has written on; return where that begins."""
        start = self.end
        self._text += text
        self.end += len(text)
        if self.ended:
            self.ended, self._resumed = False, start
        if not self._holding:
            self.cleared = self.end
        return start

    def text(self, start: int, end: int) -> str:
        """Return the characters [start, end), of those that are still kept."""
        return self._text[start - self.kept_from : end - self.kept_from]

    def look(self, at: int, post: Post) -> Sequence[Hit]:
        """Let the guard number *at*, which looks by itself, look on; return what it finds.

        The hits are by place in the whole text. What goes on after it had ended is judged with
        what was there before.
        """
        assert post.settle is not None, "who looks by itself says what is settled"
        settled = start = self._settled[at]
        if start == self._resumed:
            start = max(self.kept_from, start - post.guard.window.overlap)
        base, end, ended = max(self.kept_from, start - LOOK_BACK), self.end, self.ended
        if end - start > GROWN_CHARS_MAX and not ended:
            end, ended = end - post.guard.window.overlap, True
        text = self._text[base - self.kept_from : end - self.kept_from]
        if self.is_source and "\\" in text:
            hits, until = meant(post.settle, text, start - base, ended)
        else:
            hits, until = post.settle(text, start - base, ended)
        self._judged[at] = self.end
        if base + until > settled:
            self._settled[at] = base + until
            self._clear()
        if not hits:
            return ()
        found = [Hit(h.what, 0, base + h.start, base + h.end, h.replacement) for h in hits]
        return [hit for hit in found if hit.end > settled]

    def looked_at(self, at: int) -> str:
        """Return all that the guard number *at* has judged, so not what it has no verdict on."""
        whole, read, parts = self.whole(), 0, list[str]()
        for start, end in self._missed[at]:
            parts.append(whole[read:start])
            read = end
        return "".join((*parts, whole[read : self._judged[at]]))

    def turn(self, at: int, post: Post, partial: bool = False) -> Turn | None:
        """Return what the guard number *at*, which asks a provider, is to judge now.

        *partial*: be the window full or not.
        """
        judged, settled = self._judged[at], self._settled[at]
        window = post.guard.window
        context = max(self.kept_from, judged - window.overlap)
        start = max(self.kept_from, self._barriers[at], min(context, settled) - LOOK_BACK)
        if self.ended:
            return Turn(start, judged, self.end, last=True) if settled < self.end else None
        if judged >= self.end:
            return None
        end = self.end
        if partial:
            return Turn(start, judged, end, last=False)
        if window.unit == "sentences":
            end = judged + full(self.text(judged, end), window.size)
        elif end - context < window.size:
            end = judged
        return Turn(start, judged, end, last=False) if end > judged else None

    def hear(self, at: int, post: Post, turn: Turn, verdict: Verdict) -> Sequence[Hit]:
        """Take what the guard number *at* says of *turn*; return what is final of what it found.

        A provider that says where is certain of all but the last `overlap` characters: what it
        finds there may look otherwise with what follows. One that does not, of all.
        """
        self._judged[at] = max(self._judged[at], turn.end)
        locates = post.provider.reach.locates and not turn.last
        until = max(turn.end - post.guard.window.overlap, 0) if locates else turn.end
        settled = self._settled[at]
        hits = [_placed(hit, turn, settled) for hit in verdict.hits]
        hits = [hit for hit in hits if hit.end > settled]
        if locates:
            until = _apart(hits, until, CLUSTER * post.guard.window.overlap)
            hits = [hit for hit in hits if hit.start < until]
            until = max([until, *(hit.end for hit in hits)])
            self._barriers[at] = max([self._barriers[at], *(hit.end for hit in hits)])
        self._settled[at] = max(settled, until)
        self._clear()
        return hits

    def sent(self, at: int, turn: Turn) -> None:
        """Note that the guard number *at* is asked about *turn* while the text goes on."""
        self._judged[at] = max(self._judged[at], turn.end)

    def forgive(self, at: int, turn: Turn) -> None:
        """Let *turn* pass for the guard number *at*, which has no verdict on it."""
        self._missed[at].append((turn.new, turn.end))
        self._judged[at] = max(self._judged[at], turn.end)
        self._settled[at] = max(self._settled[at], turn.end)
        self._clear()

    def _clear(self) -> None:
        holding = self._holding
        if len(holding) == 1:
            self.cleared = self._settled[holding[0]]
        elif holding:
            self.cleared = min([self._settled[at] for at in holding])

    def change(self, hits: Iterable[Hit]) -> None:
        """Take out what *hits* are about, as far as it has not gone on."""
        found = [Edit(h.start, h.end, _words(h)) for h in hits]
        late = [Edit(max(e.start, self.released), e.end, e.text) for e in found]
        self._edits = merged((*self._edits, *late))

    def edited(self, start: int, text: str) -> str:
        """Return *text*, which stands from *start* on, as it goes on."""
        if not self._edits:
            return text
        end = start + len(text)
        here = [e for e in self._edits if e.start < end and e.end > start]
        return applied(
            text,
            [
                Edit(
                    max(e.start, start) - start,
                    min(e.end, end) - start,
                    e.text if e.start >= start else "",
                )
                for e in here
            ],
        )

    def forget(self) -> None:
        """Drop what no guard will look at again; `whole` still has it."""
        done = min([self.released, *self._settled]) - self._keep
        if done > self.kept_from:
            self._gone.append(self._text[: done - self.kept_from])
            self._text = self._text[done - self.kept_from :]
            self.kept_from = done


def _words(hit: Hit) -> str:
    return REDACTED if hit.replacement is None else hit.replacement


def _placed(hit: Hit, turn: Turn, settled: int) -> Hit:
    """Return *hit* by its place in the whole text; without one it is about all that is new."""
    if hit.start == hit.end == 0:
        return Hit(hit.what, 0, settled, turn.end, hit.replacement)
    return Hit(hit.what, 0, turn.start + hit.start, turn.start + hit.end, hit.replacement)


def _apart(hits: Sequence[Hit], until: int, patience: int) -> int:
    """Return a place not behind *until* that no find which may still grow reaches over.

    Finds that overlap are one; if one of them begins behind *until*, none of them is final,
    unless they have gone on for *patience* characters.
    """
    for edit in edits(hits, 1 << 62):
        growing = any(edit.start <= hit.start < edit.end and hit.start >= until for hit in hits)
        if edit.start < until and growing and edit.end - edit.start <= patience:
            return edit.start
    return until
