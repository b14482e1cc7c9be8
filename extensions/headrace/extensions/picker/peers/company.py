"""A store among others: takes over what other hosts say, and hands out what they are to know."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from headrace.extensions.picker.peers.heard import Heard, Place
from headrace.extensions.picker.peers.note import (
    Note,
    Pin,
    Sent,
    Unreadable,
    by_our_clock,
    decoded,
    encoded,
)
from headrace.extensions.picker.peers.others import others_of
from headrace.extensions.picker.peers.outbox import Outbox
from headrace.extensions.picker.prompt import Prompt
from headrace.extensions.picker.store import Store


class Heed(Enum):
    """What became of a message."""

    TAKEN = "taken"
    IDLE = "idle"  # our own, one that came before, or one that is too old
    UNREADABLE = "unreadable"


@dataclass(slots=True)
class Company:
    """One host's part. Mutable; event loop's thread only."""

    store: Store
    outbox: Outbox
    heard: Heard = field(init=False)

    def __post_init__(self) -> None:
        self.heard = Heard(self.outbox.origin)
        self.store.outbox = self.outbox

    def to_tell(self, now_s: float) -> Iterator[bytes]:
        """Yield the messages that the others are to get now; forget what they have not repeated."""
        self._recount(self.heard.expire(now_s), now_s)
        for note in self.outbox.notes(self.store.live, now_s):
            yield encoded(note)

    def farewell(self, now_s: float) -> bytes:
        """Return the last message, and tell nothing of the store any more."""
        self.store.outbox = None
        return encoded(self.outbox.farewell(now_s))

    def hear(self, data: bytes, now_s: float) -> Heed:
        """Take over the message *data*, whatever it is."""
        try:
            note = by_our_clock(decoded(data), now_s + self.outbox.epoch_s)
        except Unreadable:
            return Heed.UNREADABLE
        changed = self.heard.take(note, now_s)
        if changed is None:
            return Heed.IDLE
        self._recount(changed, now_s)
        self._learn(note, now_s)
        return Heed.TAKEN

    def _recount(self, places: Iterable[Place], now_s: float) -> None:
        for place in places:
            began_s = self._scraped_at_s(*place)
            if began_s is not None:
                shares = self.heard.shares(place)
                others = others_of(shares, self.outbox.epoch_s, began_s)
                self.store.others(*place, others, now_s)

    def _scraped_at_s(self, pool: str, address: str) -> float | None:
        """Return when the last good scrape of an endpoint began; None if we have no such."""
        live = self.store.live.get(pool)
        position = None if live is None else live.roster.positions.get(address)
        found = None if live is None or position is None else live.endpoints[position]
        return None if found is None else found.scraped_at_s

    def _learn(self, note: Note, now_s: float) -> None:
        for sent in note.sent:
            self._send(sent)
        for pin in note.pins:
            self._pin(pin, now_s)

    def _send(self, sent: Sent) -> None:
        index = self.store.prefixes.get(sent.pool)
        if index is None or self._scraped_at_s(sent.pool, sent.address) is None:
            return
        if index.block_bytes == sent.block_bytes:  # else our blocks are others
            prompt = Prompt(sent.hashes, sent.end, sent.size)
            index.insert(sent.address, sent.hashes, prompt)

    def _pin(self, pin: Pin, now_s: float) -> None:
        affinity = self.store.affinities.get(pin.pool)
        if affinity is None or self._scraped_at_s(pin.pool, pin.address) is None:
            return
        # A clock that runs ahead may not bind for longer than ours would.
        affinity.heard(pin.session, pin.address, min(now_s, pin.at_s - self.outbox.epoch_s))
