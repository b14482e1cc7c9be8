"""What this host has to tell the others: gathered while it decides, taken out as notes."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from headrace.extensions.picker.live_pool import LivePool
from headrace.extensions.picker.peers.note import AGAIN_S, Note, Pin, Sent, Share
from headrace.extensions.picker.peers.others import share_of
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.prompt import Prompt
from headrace.extensions.picker.roster import Roster

SENT_MAX, PINS_MAX = 512, 2048  # waiting to be told; more than that in a turn are not told
WEIGHT_MAX = 24 << 10  # of a note, about its bytes; one item more may come on top
SHARE_WEIGHT, PICK_WEIGHT, SENT_WEIGHT, HASH_WEIGHT, CHAR_WEIGHT = 128, 15, 48, 9, 4

Item = Share | Sent | Pin


@dataclass(slots=True)
class Outbox:
    """Gathers and hands out. Mutable; event loop's thread only.

    epoch_s  Unix minus monotonic time
    dropped  prompts and sessions that were not told, for want of room or of a text
    """

    origin: str
    epoch_s: float
    dropped: int = 0
    _number: int = 0
    _again_s: float = float("-inf")
    _sent: deque[Sent] = field(default_factory=deque[Sent])
    _pins: deque[Pin] = field(default_factory=deque[Pin])
    _seen: dict[str, tuple[Roster, int]] = field(default_factory=dict[str, tuple[Roster, int]])
    _told: dict[tuple[str, str], Share] = field(default_factory=dict[tuple[str, str], Share])

    def sent(self, pool: str, address: str, index: PrefixIndex, prompt: Prompt) -> None:
        """Tell that *address* was sent *prompt*, cut as *index* cuts."""
        if not prompt.hashes:
            return
        if len(self._sent) == SENT_MAX:
            self.dropped += 1
            return
        hashes = tuple(prompt.hashes)
        said = Sent(pool, address, index.block_bytes, hashes, prompt.end, prompt.size)
        self._sent.append(said)

    def bound(self, pool: str, session: str, address: str, now_s: float) -> None:
        """Tell that *session* is bound to *address*; an empty one is none.

        One of a header with octets that are no text stays here: no note can say it.
        """
        if not session:
            return
        if len(self._pins) == PINS_MAX or not is_text(session):
            self.dropped += 1
            return
        self._pins.append(Pin(pool, session, address, now_s + self.epoch_s))

    def notes(self, pools: Mapping[str, LivePool], now_s: float) -> Iterator[Note]:
        """Yield what is to be told now, of *pools* too: what changed, or all once in `AGAIN_S`."""
        again = now_s - self._again_s >= AGAIN_S
        if again:
            self._again_s, self._told = now_s, {}
        items: list[Item] = [*self._shares(pools, again), *self._sent, *self._pins]
        self._sent.clear()
        self._pins.clear()
        if again and not items:
            yield self._note((), now_s)  # a sign of life
        yield from (self._note(some, now_s) for some in packed(items))

    def farewell(self, now_s: float) -> Note:
        """Return the note that says that nothing of ours is open any more."""
        self._number += 1
        return Note(self.origin, self._number, now_s + self.epoch_s, leaving=True)

    def _shares(self, pools: Mapping[str, LivePool], again: bool) -> Iterator[Share]:
        for name, pool in pools.items():
            roster = pool.roster
            known, version = self._seen.get(name, (None, 0))
            self._seen[name] = (roster, roster.version)
            changed = None
            if known is roster and not again:
                if version == roster.version:
                    continue
                changed = roster.between(version, roster.version)
            positions = range(len(pool.ledgers)) if changed is None else {c >> 1 for c in changed}
            for at in positions:
                # A change may be one of what others have there, or of a scrape: ours is as it was.
                share = share_of(name, roster.addresses[at], pool.ledgers[at], self.epoch_s)
                old = self._told.get((name, share.address))
                if share != old and (old is not None or share.open or share.filled_tokens):
                    self._told[name, share.address] = share
                    yield share

    def _note(self, items: Iterable[Item], now_s: float) -> Note:
        some = tuple(items)
        self._number += 1
        return Note(
            self.origin,
            self._number,
            now_s + self.epoch_s,
            tuple(i for i in some if isinstance(i, Share)),
            tuple(i for i in some if isinstance(i, Sent)),
            tuple(i for i in some if isinstance(i, Pin)),
        )


def is_text(value: str) -> bool:
    """Return whether UTF-8 can say *value*: octets of a header that are no text come as halves."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def packed(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield *items* in lists that each fit into a note."""
    some: list[Item] = []
    weight = 0
    for item in items:
        more = _weight(item)
        if some and weight + more > WEIGHT_MAX:
            yield some
            some, weight = [], 0
        some.append(item)
        weight += more
    if some:
        yield some


def _weight(item: Item) -> int:
    named = CHAR_WEIGHT * (len(item.pool) + len(item.address))
    match item:
        case Share():
            return named + SHARE_WEIGHT + PICK_WEIGHT * len(item.picks)
        case Sent():
            return named + SENT_WEIGHT + HASH_WEIGHT * len(item.hashes)
        case Pin():
            return named + SENT_WEIGHT + CHAR_WEIGHT * len(item.session)
