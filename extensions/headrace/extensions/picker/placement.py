"""Where one exchange is, as the store counts it: reserved at the pick, released at the end."""

from enum import IntEnum

from msgspec.structs import replace

from headrace.extensions.picker.snapshot import Reservation
from headrace.extensions.picker.store import Store
from headrace.extensions.picker.values import PickValues
from headrace.extensions.work import NO_LOAD, Load, Work

BLIND_MIN = 3  # streams in a row of which no piece came, before we believe that none ever will


class Watch(IntEnum):
    """How much of an answer the rules of a policy make it necessary to follow."""

    NOTHING = 0
    ENDS = 1  # how answers end, and the first token
    PIECES = 2  # every piece


class Placement:
    """The place of one exchange. Written by the hooks of that exchange only.

    learns  note what its endpoint will have cached
    watch   what of its answer is followed
    """

    __slots__ = ("_begun", "_had_blocks", "_learns", "_store", "_values", "reservation", "watch")

    def __init__(self, store: Store, learns: bool, watch: Watch = Watch.NOTHING) -> None:
        self._store = store
        self._learns = learns
        self._values: PickValues | None = None
        self._had_blocks = 0  # of this prompt, at the endpoint picked, before the pick
        self._begun = False
        self.watch = watch
        self.reservation: Reservation | None = None

    def take(self, pool: str, address: str, values: PickValues | None, now_s: float) -> None:
        """Count the request at *address*; *values* are None if its prompt is not to be read."""
        self.release(now_s)
        self._values = values
        learns = values is not None and (self._learns or values.prefix_was_read)
        load = self._load(values, address, learns) if values else NO_LOAD
        self.reservation = self._store.reserve(pool, address, now_s, load)
        if values and learns:
            self._had_blocks = round(values.prefix.get(address, 0.0) * len(values.hashes))
            self._store.prefixes[pool].insert(address, values.hashes)

    def move(self, served: str, now_s: float) -> None:
        """Count the request at *served*; the endpoint picked was not sent its prompt."""
        reservation, values = self.reservation, self._values
        assert reservation is not None, "what was not placed cannot be moved"
        self.reservation = self._store.move(reservation, served, now_s)
        if values and values.prefix_was_read:
            index = self._store.prefixes[reservation.pool]
            index.withdraw(reservation.address, values.hashes[self._had_blocks :])
            index.insert(served, values.hashes)

    def piece(self, now_s: float) -> None:
        """Note a piece of the answer: the first tells how long the prompt took."""
        if self.reservation is None:
            return
        if not self._begun:
            self._begun = True
            self._store.blind_streams = 0
            self._store.first_token(self.reservation, now_s)
        elif self.watch is Watch.PIECES:
            self._store.piece(self.reservation)

    def ended(self, failed: bool, output_tokens: int, now_s: float) -> None:
        """Learn from how the answer ended, and stop counting the request."""
        if self.reservation is not None and self.watch:
            if not (failed or self._begun) and self._values is not None and self._values.stream:
                self._store.blind_streams += 1
            self._store.answered(
                self.reservation, now_s, failed=failed, output_tokens=output_tokens
            )
        self.release(now_s)

    def release(self, now_s: float) -> None:
        """Stop counting the request, if it is counted."""
        if self.reservation is not None:
            self._store.release(self.reservation, now_s)
            self.reservation = None

    def _load(self, values: PickValues, address: str, matched: bool) -> Load:
        """Return what the request asks of *address*; what is cached there if it is *matched*."""
        if self.watch:
            load = self._store.load(values.route.pool, address, values.work)
            seen = load.streams and self._store.blind_streams < BLIND_MIN
            return load if seen == load.streams else replace(load, streams=False)
        work = Work(values.prompt_tokens, prefix=values.prefix) if matched else None
        uncached = values.prompt_tokens if work is None else work.uncached_at(address)
        return Load(values.prompt_tokens, uncached)
