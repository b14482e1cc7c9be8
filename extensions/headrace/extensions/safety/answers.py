"""Screen the response of one exchange, whole or as a stream, and put originals back for masks."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from headrace.dsl.guarding import OnMatch, Streamed
from headrace.extensions.call import Call, Text
from headrace.extensions.reasons import Reason
from headrace.extensions.safety.answer import screen_answer
from headrace.extensions.safety.beside import begun, side_by_side
from headrace.extensions.safety.contract import (
    Asked,
    Context,
    Direction,
    Judged,
    Kind,
    Trouble,
    Verdict,
)
from headrace.extensions.safety.desk import Desk
from headrace.extensions.safety.holdback import Holdback, with_data
from headrace.extensions.safety.inquest import Inquest
from headrace.extensions.safety.judge import judge
from headrace.extensions.safety.mask import Vault
from headrace.extensions.safety.post import Post
from headrace.extensions.safety.prompt import judged
from headrace.extensions.safety.quick import the_piece
from headrace.extensions.safety.reads import ANSWER, any_passages, any_pieces
from headrace.extensions.safety.strand import Strand, Turn
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Asking,
    Continue,
    Now,
    Reject,
    ResponseEvent,
    ResponseHead,
)
from headrace.extensions.texts.values import Passage, Piece, Unreadable
from headrace.extensions.values import DONE

TOO_MUCH = "the stream has more text, or more of it waits, than the gateway screens"
PAUSE = ResponseEvent(b"", b"", True)
"""Stands for the event that does not come while a model pauses."""
EDITS_MAX = 10_000  # changes to one text of a stream


class Finish(msgspec.Struct):
    """How far one choice of a streamed answer is."""

    index: int = 0
    finish_reason: str | None = None


class Finishes(msgspec.Struct):
    """The choices of one event."""

    choices: list[Finish] = []


class Answers:
    """One exchange's response. Written by its `Screening`."""

    __slots__ = (
        "_call",
        "_context",
        "_desk",
        "_hold",
        "_inquest",
        "_known",
        "_local",
        "_posts",
        "_remote",
        "_strips",
        "_told",
        "_vault",
    )

    def __init__(self, desk: Desk, exchange_id: str) -> None:
        self._desk = desk
        self._vault: Vault | None = None
        self._strips = desk.changes_answers
        self._call: Call | None = None
        self._context = Context(exchange_id=exchange_id)
        self._inquest = Inquest(desk.rule, Direction.RESPONSE, desk.answers)
        self._known = True
        self._told = False
        self._hold: Holdback | None = None
        self._enlist(desk.answers)

    def _enlist(self, posts: Sequence[Post]) -> None:
        self._posts = tuple(posts)
        pairs = list(enumerate(self._posts))
        self._local = [(at, post) for at, post in pairs if post.local]
        self._remote = [(at, post) for at, post in pairs if not post.local]

    def asked(self, call: Call | None, exchange_id: str, applying: Sequence[Post]) -> None:
        """Note what was asked, and which guards have to do with it."""
        self._call = call
        if call is not None:
            self._context = Context(call.model, exchange_id, call.texts)
        if len(applying) == len(self._desk.posts):
            return
        for post in self._posts:
            if post not in applying:
                self._inquest.skip(post, "condition")
        self._enlist([post for post in self._posts if post in applying])

    def unmask(self, vault: Vault) -> None:
        """Put the originals of *vault* back into the answer."""
        self._vault = vault if len(vault) else None

    def begin(self, head: ResponseHead) -> None:
        """Note whether the body will be an answer of the API that was asked."""
        self._known = 200 <= head.status < 300

    def take(self, event: ResponseEvent, now_s: float) -> Action | Asking:
        """Decide what may go on now that *event* has come."""
        if not self._posts and self._vault is None:
            return CONTINUE
        if not event.event_stream:
            return begun(self._whole(event.data))
        hold = self._hold
        if hold is None:
            hold = self._hold = Holdback(self._posts, self._desk.reads.spliced, self._vault)
        data, call = event.data, self._call
        usual = the_piece(call.api, data) if call is not None and self._known else None
        try:
            if usual is not None:
                touched = hold.push(event.raw, data, (usual,))
            else:
                pieces = self._pieces(data)
                if isinstance(pieces, Reject):
                    return self._ended(pieces)
                touched = self._push(hold, event, pieces)
        except Unreadable as unreadable:
            return self._ended(self._refused(unreadable.detail))
        if data == DONE:
            touched = hold.end()
        elif hold.choices > 1 and b'"finish_reason"' in data:
            for choice in _finished(data):
                touched += hold.end(choice)
        return self._go_on(hold, touched, event, now_s)

    def _push(self, hold: Holdback, event: ResponseEvent, pieces: Sequence[Piece]) -> list[Strand]:
        """Take an event, without what repeats its text where no guard sees it."""
        raw, data = event.raw, event.data
        if self._strips and pieces:
            data = self._desk.reads.stripped(event.data)
            if data is not event.data:
                raw = with_data(event.raw, data)
        return hold.push(raw, data, pieces)

    def finish(self, now_s: float) -> Action | Asking:
        """Decide on what is left, and report what the guards have done."""
        hold = self._hold
        if hold is None:
            return self._report(None)
        return self._go_on(hold, hold.end(), None, now_s)

    def idle(self, now_s: float) -> Action | Asking:
        """Let what there is of the windows be judged, as the model pauses."""
        hold = self._hold
        if hold is None or not self._remote:
            return CONTINUE
        turns = self._turns(hold.strands, partial=True)
        return begun(self._ask(hold, turns, PAUSE)) if turns else CONTINUE

    def left(self) -> tuple[object, ...]:
        """Return the records of a response that ended before its end; none if they are told."""
        return () if self._told else self._close()

    def _go_on(
        self, hold: Holdback, touched: list[Strand], event: ResponseEvent | None, now_s: float
    ) -> Action | Asking:
        """Judge what there is more to judge of, and let go on what may."""
        reject = self._look(touched) if self._local else None
        if reject is not None:
            return self._ended(reject)
        if self._remote:
            turns = self._turns(touched)
            if turns:
                return begun(self._ask(hold, turns, event))
        return self._release(hold, event)

    def _look(self, strands: Sequence[Strand]) -> Reject | None:
        """Let the guards that judge at once look at *strands*."""
        for strand in strands:
            for at, post in self._local:
                hits = strand.look(at, post)
                if hits:
                    reject = self._found(strand, post, Verdict(tuple(hits)))
                    if reject is not None:
                        return reject
        return None

    def _turns(
        self, strands: Sequence[Strand], partial: bool = False
    ) -> list[tuple[Strand, int, Post, Turn]]:
        turns: list[tuple[Strand, int, Post, Turn]] = []
        for strand in strands:
            for at, post in self._remote:
                turn = strand.turn(at, post, partial)
                if turn is not None:
                    turns.append((strand, at, post, turn))
        return turns

    async def _ask(
        self,
        hold: Holdback,
        turns: Sequence[tuple[Strand, int, Post, Turn]],
        event: ResponseEvent | None,
    ) -> Action:
        """Ask for the verdicts on *turns*, all at once; then let go on what may."""
        now_s = await Now()
        heard = await side_by_side(
            [self._hear(strand, post, turn, now_s) for strand, _, post, turn in turns]
        )
        took_s = await Now() - now_s
        for (strand, at, post, turn), one in zip(turns, heard, strict=True):
            reject = self._heard(strand, at, post, turn, one, took_s)
            if reject is not None:
                return self._ended(reject)
        return self._release(hold, event)

    async def _hear(self, strand: Strand, post: Post, turn: Turn, now_s: float) -> Judged:
        text = strand.text(turn.start, turn.end)
        said = (Text(ANSWER, text),)
        asked = Asked(Direction.RESPONSE, said, self._context, streamed=True)
        return await judged(judge(post, asked, now_s))

    def _heard(
        self, strand: Strand, at: int, post: Post, turn: Turn, one: Judged, took_s: float
    ) -> Reject | None:
        self._inquest.took(post, took_s)
        if isinstance(one, Trouble):
            strand.forgive(at, turn)
            return self._inquest.hear(post, one)
        hits = strand.hear(at, post, turn, one)
        if not one.hits:
            return self._inquest.hear(post, one) if one.partial else None
        if not hits:
            return None
        said = Verdict(tuple(hits), code=one.code, message=one.message, partial=one.partial)
        return self._found(strand, post, said)

    def _found(self, strand: Strand, post: Post, verdict: Verdict) -> Reject | None:
        """Do about a find what the policy says."""
        inquest = self._inquest
        action = inquest.action(post)
        if action is OnMatch.REDACT and post.guard.streamed is Streamed.OBSERVE:
            action = OnMatch.LOG  # it has gone on already
        reject = inquest.hear(post, verdict, action) or inquest.settle()
        if reject is not None:
            return reject
        if action is OnMatch.REDACT:
            strand.change(verdict.hits)
            if strand.edit_count > EDITS_MAX:
                return inquest.refuse(post, "too much of it would have to be taken out")
        return None

    def _release(self, hold: Holdback, event: ResponseEvent | None) -> Action:
        """Let go on what may: with *event*, or at the end."""
        try:
            out = hold.release()
        except Unreadable as unreadable:
            return self._ended(self._refused(unreadable.detail))
        desk = self._desk
        if hold.held_bytes > desk.held_bytes_max or hold.chars > desk.text_chars_max:
            return self._ended(Reject(Reason.RESPONSE_TOO_LARGE, TOO_MUCH))
        if event is None:
            return self._report(b"".join(out) or None)
        if len(out) == 1 and out[0] is event.raw:
            return CONTINUE
        return Continue(body=b"".join(out))

    async def _whole(self, body: bytes) -> Action:
        """Decide on an answer that is no stream."""
        passages = self._passages(body)
        if isinstance(passages, Reject):
            return self._ended(passages)
        if sum([len(passage.text) for passage in passages]) > self._desk.text_chars_max:
            return self._ended(
                Reject(Reason.RESPONSE_TOO_LARGE, "the answer is too long to screen")
            )
        texts = await screen_answer(passages, self._context, self._posts, self._inquest)
        if isinstance(texts, Reject):
            return self._ended(texts)
        if self._vault is not None:
            texts.restore(self._vault)
        self._inquest.delivered += sum([len(t.encode("utf-8", "replace")) for t in texts.texts])
        patches, gone = texts.patches(), body
        if self._strips and passages:
            gone = self._desk.reads.stripped(body)
        if patches:
            gone = self._desk.reads.spliced(gone, patches)
        return CONTINUE if gone is body else Continue(body=gone)

    def _passages(self, body: bytes) -> tuple[Passage, ...] | Reject:
        if self._call is None or not self._known:
            return any_passages(body)
        try:
            return self._desk.reads.answer(self._call.api, body)
        except Unreadable as unreadable:
            return self._unread(unreadable) or ()

    def _pieces(self, data: bytes) -> tuple[Piece, ...] | Reject:
        if not data or data == DONE:
            return ()
        if self._call is None or not self._known:
            return any_pieces(data)
        try:
            return self._desk.reads.pieces(self._call.api, data)
        except Unreadable as unreadable:
            return self._unread(unreadable) or ()

    def _unread(self, unreadable: Unreadable) -> Reject | None:
        """Do about what cannot be read what the policy says."""
        trouble = Trouble(Kind.UNREADABLE, unreadable.detail)
        for post in self._posts:
            reject = self._inquest.hear(post, trouble)
            if reject is not None:
                return reject
        return None

    def _refused(self, what: str) -> Reject:
        return Reject(Reason.RESPONSE_UNREADABLE, f"the response cannot be screened: {what}")

    def _ended(self, reject: Reject) -> Reject:
        """Return *reject* with what the guards have done until then."""
        return replace(reject, records=self._close())

    def _report(self, body: bytes | None) -> Action:
        records = self._close()
        return Continue(body=body, records=records) if body or records else CONTINUE

    def _close(self) -> tuple[object, ...]:
        self._told = True
        hold = self._hold
        if hold is not None:
            self._inquest.delivered = hold.delivered
            for at, post in enumerate(self._posts):
                texts = [strand.looked_at(at) for strand in hold.strands]
                self._inquest.inspected(post, [text for text in texts if text])
        return self._inquest.close()


def _finished(data: bytes) -> list[int]:
    """Return the choices that are complete with the event of this *data*."""
    try:
        event = msgspec.json.decode(data, type=Finishes)
    except msgspec.DecodeError:
        return []
    return [choice.index for choice in event.choices if choice.finish_reason is not None]
