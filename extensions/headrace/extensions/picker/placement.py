"""Where one exchange is, as the store counts it: reserved at the pick, released at the end."""

from headrace.extensions.picker.snapshot import Reservation
from headrace.extensions.picker.store import Store
from headrace.extensions.picker.values import PickValues


class Placement:
    """The place of one exchange. Written by the hooks of that exchange only.

    learns  note what its endpoint will have cached
    """

    __slots__ = ("_had_blocks", "_learns", "_store", "_values", "reservation")

    def __init__(self, store: Store, learns: bool) -> None:
        self._store = store
        self._learns = learns
        self._values: PickValues | None = None
        self._had_blocks = 0  # of this prompt, at the endpoint picked, before the pick
        self.reservation: Reservation | None = None

    def take(self, pool: str, address: str, values: PickValues | None, now_s: float) -> None:
        """Count the request at *address*; *values* are None if its prompt is not to be read."""
        self.release(now_s)
        self._values = values
        self.reservation = self._store.reserve(pool, address, now_s)
        if values and (self._learns or values.prefix_was_read):
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

    def release(self, now_s: float) -> None:
        """Stop counting the request, if it is counted."""
        if self.reservation is not None:
            self._store.release(self.reservation, now_s)
            self.reservation = None
