"""Screen the response of one exchange, whole or as a stream, and put originals back for masks."""

from collections.abc import Sequence
from dataclasses import replace

from msgspec import structs

from headrace.dsl.guarding import OnMatch, Streamed
from headrace.extensions.call import Call
from headrace.extensions.charsets import foreign_charset
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
from headrace.extensions.safety.finishes import finished
from headrace.extensions.safety.holdback import Holdback
from headrace.extensions.safety.inquest import Inquest
from headrace.extensions.safety.judge import judge
from headrace.extensions.safety.lines import with_data, without_unread
from headrace.extensions.safety.mask import Vault
from headrace.extensions.safety.meaning import Meaning
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


WATCHED_MAX = 8  # calls at once for one stream that is only watched
Turns = tuple[Strand, int, Post, Turn]
"""What a guard is to judge next of which text, and the guard's number and itself."""


class Answers:
    """One exchange's response. Written by its `Screening`."""

    __slots__ = (
        "_call",
        "_charset",
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
        "_watched",
        "_watching",
    )

    def __init__(self, desk: Desk, exchange_id: str) -> None:
        self._desk = desk
        self._vault: Vault | None = None
        self._strips = desk.changes_answers
        self._call: Call | None = None
        self._context = Context(exchange_id=exchange_id)
        self._inquest = Inquest(desk.rule, Direction.RESPONSE, desk.answers)
        self._known = True
        self._charset = ""
        self._told = False
        self._watched = 0
        self._hold: Holdback | None = None
        self._enlist(desk.answers)

    def _enlist(self, posts: Sequence[Post]) -> None:
        self._posts = tuple(posts)
        pairs = list(enumerate(self._posts))
        self._local = [(at, post) for at, post in pairs if post.local]
        remote = [(at, post) for at, post in pairs if not post.local]
        self._remote = [pair for pair in remote if pair[1].guard.streamed is Streamed.HOLD]
        self._watching = [pair for pair in remote if pair[1].guard.streamed is Streamed.OBSERVE]

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

    def unread(self, reason: str) -> None:
        """Let the answer pass as it comes, and have every guard say *reason*."""
        for post in self._posts:
            self._inquest.skip(post, reason)
        self._enlist(())

    def unmask(self, vault: Vault) -> None:
        """Put the originals of *vault* back into the answer."""
        self._vault = vault if len(vault) else None

    def begin(self, head: ResponseHead) -> None:
        """Note whether the body will be an answer of the API that was asked."""
        self._known = 200 <= head.status < 300
        self._charset = foreign_charset(";".join(head.headers.all("content-type")))

    def take(self, event: ResponseEvent, now_s: float) -> Action | Asking:
        """Decide what may go on now that *event* has come."""
        if not self._posts and self._vault is None:
            return CONTINUE
        if not event.event_stream:
            return begun(self._whole(event.data))
        hold = self._hold
        if hold is None:
            hold = self._hold = Holdback(self._posts, self._desk.reads.spliced, self._vault)
        raw, data, call = event.raw, event.data, self._call
        if self._strips:
            raw = without_unread(raw, data)
        plain = self._known and not self._charset
        usual = the_piece(call.api, data) if call is not None and plain else None
        try:
            if usual is not None:
                touched = hold.push(raw, data, (usual,))
            else:
                pieces = self._pieces(data)
                if isinstance(pieces, Reject):
                    return self._ended(pieces)
                touched = self._push(hold, raw, data, pieces)
        except Unreadable as unreadable:
            return self._ended(self._refused(unreadable.detail))
        if data == DONE:
            touched = hold.end()
        elif hold.choices > 1 and b'"finish_reason"' in data:
            for choice in finished(data):
                touched += hold.end(choice)
        return self._go_on(hold, touched, event, now_s)

    def _push(
        self, hold: Holdback, raw: bytes, data: bytes, pieces: Sequence[Piece]
    ) -> list[Strand]:
        """Take an event, without what repeats its text where no guard sees it."""
        if self._strips and pieces:
            left = self._desk.reads.stripped(data)
            if left is not data:
                return hold.push(with_data(raw, left), left, pieces)
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
        turns = self._turns(hold.strands, self._remote, partial=True)
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
        turns = self._turns(touched, self._remote) if self._remote else []
        if self._watching:
            strands = touched if event is not None else hold.strands
            watched = self._watch(strands, ended=event is None)
            if watched and (turns or event is None):
                turns += watched
            elif watched:
                return self._beside(self._release(hold, event), hold, watched)
        if turns:
            return begun(self._ask(hold, turns, event))
        return self._release(hold, event)

    def _watch(self, strands: Sequence[Strand], *, ended: bool) -> list[Turns]:
        """Return what the guards that only watch are to judge now."""
        if self._watched >= WATCHED_MAX and not ended:
            return []  # what comes meanwhile is judged with the next window
        turns = self._turns(strands, self._watching)
        for strand, at, _, turn in turns:
            strand.sent(at, turn)
        return turns

    def _beside(self, action: Action, hold: Holdback, turns: Sequence[Turns]) -> Action:
        """Let *turns* be judged while the stream goes on."""
        if not isinstance(action, Continue):
            return action
        self._watched += 1
        return structs.replace(action, meanwhile=self._judge_beside(hold, turns))

    async def _judge_beside(self, hold: Holdback, turns: Sequence[Turns]) -> Action:
        try:
            return await self._ask(hold, turns, PAUSE, releases=False)
        finally:
            self._watched -= 1

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
        self,
        strands: Sequence[Strand],
        posts: Sequence[tuple[int, Post]],
        partial: bool = False,
    ) -> list[Turns]:
        turns: list[Turns] = []
        for strand in strands:
            for at, post in posts:
                turn = strand.turn(at, post, partial)
                if turn is not None:
                    turns.append((strand, at, post, turn))
        return turns

    async def _ask(
        self,
        hold: Holdback,
        turns: Sequence[Turns],
        event: ResponseEvent | None,
        releases: bool = True,
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
        return self._release(hold, event) if releases else CONTINUE

    async def _hear(self, strand: Strand, post: Post, turn: Turn, now_s: float) -> Judged:
        text = strand.text(turn.start, turn.end)
        meaning = Meaning((text,), (strand.is_source,), beside=False)
        asked = Asked(Direction.RESPONSE, meaning.said([ANSWER]), self._context, streamed=True)
        return meaning.placed(await judged(judge(post, asked, now_s)))

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
            reject = Reject(Reason.RESPONSE_TOO_LARGE, "the answer is too long to screen")
            return self._ended(reject)
        texts = await screen_answer(passages, self._context, self._posts, self._inquest)
        if isinstance(texts, Reject):
            return self._ended(texts)
        if self._vault is not None:
            texts.restore(self._vault)
        self._inquest.delivered += sum([len(t.encode("utf-8", "replace")) for t in texts.texts])
        patches, gone = texts.patches(), body
        if self._strips and any(passage.path for passage in passages):
            gone = self._desk.reads.stripped(body)
        if patches:
            gone = self._desk.reads.spliced(gone, patches)
        return CONTINUE if gone is body else Continue(body=gone)

    def _passages(self, body: bytes) -> tuple[Passage, ...] | Reject:
        try:
            self._check_charset()
            if self._call is None or not self._known:
                return any_passages(body)
            return self._desk.reads.answer(self._call.api, body)
        except Unreadable as unreadable:
            return self._unread(unreadable) or ()

    def _pieces(self, data: bytes) -> tuple[Piece, ...] | Reject:
        if not data or data == DONE:
            return ()
        try:
            self._check_charset()
            if self._call is None or not self._known:
                return any_pieces(data)
            return self._desk.reads.pieces(self._call.api, data)
        except Unreadable as unreadable:
            return self._unread(unreadable) or ()

    def _check_charset(self) -> None:
        """Raise `Unreadable` if a client may read the answer as something else than UTF-8."""
        if self._charset:
            raise Unreadable("its content type names another charset than UTF-8")

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
