"""Hold back the events of a stream until the guards have judged their text.

Events go on in the order they came. Those without text go with the text around them. Of an
event whose text nobody changes, no byte changes.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from headrace.extensions.safety.lines import with_data
from headrace.extensions.safety.mask import Restorer, Vault
from headrace.extensions.safety.post import Post
from headrace.extensions.safety.rewriting import IN_JSON, encoded
from headrace.extensions.safety.strand import Strand
from headrace.extensions.texts.values import Channel, Path, Piece, Unreadable

DROP_CHARS = 4096  # of a text that has gone on are dropped at a time
STRANDS_MAX = 1024  # texts of one stream: answers asked for, times parts of each

Read = Callable[[bytes], tuple[Piece, ...]]
Patch = Callable[[bytes, Mapping[Path, bytes]], bytes]


class Placed(Struct):
    """A piece of an event, and where it stands in its strand. *out*: what goes on, once known."""

    piece: Piece
    strand: Strand
    start: int
    end: int
    out: str | None = None


class Held(Struct):
    """An event that waits. *raw*: its bytes, *data*: its joined data lines."""

    raw: bytes
    data: bytes
    placed: tuple[Placed, ...] = ()


class Holdback:
    """The events of one stream that wait. Written by the screening of that stream.

    held_bytes  of the events that wait
    chars       of all texts so far
    choices     how many answers the stream has so far
    delivered   bytes of text that have gone on
    """

    __slots__ = (
        "_last",
        "_patch",
        "_posts",
        "_queue",
        "_restorers",
        "_strands",
        "_vault",
        "chars",
        "choices",
        "delivered",
        "held_bytes",
    )

    def __init__(self, posts: Sequence[Post], patch: Patch, vault: Vault | None) -> None:
        self._posts = posts
        self._patch = patch
        self._vault = vault
        self._queue: deque[Held] = deque()
        self._strands: dict[Channel, Strand] = {}
        self._restorers: dict[Channel, Restorer] = {}
        self._last: dict[int, list[Strand]] = {}
        self.held_bytes = 0
        self.choices = 0
        self.chars = 0
        self.delivered = 0

    @property
    def strands(self) -> Sequence[Strand]:
        """All texts of the stream so far."""
        return tuple(self._strands.values())

    def push(self, raw: bytes, data: bytes, pieces: Sequence[Piece]) -> list[Strand]:
        """Take one event with the pieces in it; return the strands that there is more to judge of.

        Raises:
            Unreadable: the stream has too many texts.
        """
        touched: list[Strand] = []
        placed: list[Placed] = []
        for piece in pieces:
            placed.append(self._place(piece, touched))
        self._queue.append(Held(raw, data, tuple(placed)))
        self.held_bytes += len(raw)
        if placed and self._last.get(placed[0].piece.channel.choice) != touched:
            self._go_over(touched)
        return touched

    def _go_over(self, touched: list[Strand]) -> None:
        """Note that of each choice the texts in *touched* are written now, so its last have ended.

        Models write one text after the other.
        """
        written: dict[int, list[Strand]] = {}
        for strand in touched:
            written.setdefault(strand.channel.choice, []).append(strand)
        for choice, strands in written.items():
            for last in self._last.get(choice, ()):
                if last not in strands and not last.ended:
                    last.ended = True
                    touched.append(last)
            self._last[choice] = strands
        self.choices = len(self._last)

    def end(self, choice: int | None = None) -> list[Strand]:
        """Note that the texts of *choice*, of all choices by default, are complete."""
        ended: list[Strand] = []
        for strand in self._strands.values():
            if not strand.ended and choice in (None, strand.channel.choice):
                strand.ended = True
                ended.append(strand)
        return ended

    def _place(self, piece: Piece, touched: list[Strand]) -> Placed:
        strand = self._strand(piece, touched)
        start, text = 0, piece.text
        if piece.repeats:
            whole = strand.whole()
            if text.startswith(whole):
                if len(text) > len(whole):
                    strand.add(text[len(whole) :])
            elif not whole.startswith(text):
                # It is not what was said before, so it is judged by itself.
                strand = self._strand(_aside(piece, len(self._strands)), touched)
                strand.add(text)
                strand.ended = True
        else:
            start = strand.add(text)
        strand.waiting += 1
        self.chars += len(text)
        if strand not in touched:
            touched.append(strand)
        return Placed(piece, strand, start, start + len(text))

    def _strand(self, piece: Piece, touched: list[Strand]) -> Strand:
        """Return the strand of *piece*."""
        channel = piece.channel
        strand = self._strands.get(channel)
        if strand is None:
            if len(self._strands) >= STRANDS_MAX:
                raise Unreadable("the stream has too many texts at once")
            strand = self._strands[channel] = Strand(channel, self._posts)
        return strand

    def release(self) -> list[bytes]:
        """Return the bytes of the events that may go on, in order.

        Raises:
            Unreadable: a text is to be changed where that cannot be done.
        """
        out: list[bytes] = []
        queue = self._queue
        while queue and self._may_go(queue[0]):
            held = queue.popleft()
            self.held_bytes -= len(held.raw)
            out.append(self._gone(held))
        return out

    def _may_go(self, held: Held) -> bool:
        for placed in held.placed:
            if placed.end > placed.strand.cleared:
                return False
        if self._vault is None or not held.placed:
            return True
        known = True
        for placed in held.placed:
            if placed.piece.path:  # what has no place, nothing can be put back into
                known = self._restored(placed) and known  # each is to be asked
        return known

    def _restored(self, placed: Placed) -> bool:
        """Put originals back into a piece; return whether it is known by now what becomes of it."""
        assert self._vault is not None, "asked for only where masks are"
        strand, channel = placed.strand, placed.piece.channel
        in_json = channel.said in IN_JSON
        if placed.piece.repeats:
            text = strand.edited(placed.start, placed.piece.text)
            placed.out = self._vault.restore(text, in_json)
            return True
        known = self._restorers.get(channel)
        if known is None:
            known = self._restorers[channel] = Restorer(self._vault, in_json)
        if placed.out is None:
            placed.out = known.push(strand.edited(placed.start, placed.piece.text))
        if not known.holds or strand.waiting > 1:
            return True  # what is kept back goes with the next piece
        if strand.ended:
            placed.out += known.finish()
            del self._restorers[channel]
        return strand.ended

    def _gone(self, held: Held) -> bytes:
        """Return *held* as it goes on."""
        changes: dict[Path, bytes] = {}
        for placed in held.placed:
            strand, text = placed.strand, placed.piece.text
            strand.waiting -= 1
            strand.released = max(strand.released, placed.end)
            new = placed.out
            if new is None:
                new = strand.edited(placed.start, text) if strand.edit_count else text
            if new != text:
                changes[placed.piece.path] = encoded(new)
            self.delivered += len(new) if new.isascii() else len(new.encode("utf-8", "replace"))
            if placed.end - strand.kept_from > DROP_CHARS:
                strand.forget()
        if not changes:
            return held.raw
        if () in changes:
            raise Unreadable("it stands where the text cannot be changed")
        return with_data(held.raw, self._patch(held.data, changes))


def _aside(piece: Piece, number: int) -> Piece:
    channel = piece.channel
    apart = Channel(channel.said, channel.choice, STRANDS_MAX + number)
    return Piece(apart, piece.text, piece.path, repeats=True)
