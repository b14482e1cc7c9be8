"""Where one exchange is, as the store counts it: reserved at the pick, released at the end."""

from headrace.extensions.picker.kv.matching import Answered
from headrace.extensions.picker.observed import Observed, Ticket
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.snapshot import Reservation
from headrace.extensions.picker.store import Store
from headrace.extensions.picker.values import PickValues


class Placement:
    """The place of one exchange. Written by the hooks of that exchange only.

    learns  note what its endpoint will have cached
    """

    __slots__ = ("_learns", "_store", "_ticket", "_values", "reservation")

    def __init__(self, store: Store, learns: bool) -> None:
        self._store = store
        self._learns = learns
        self._values: PickValues | None = None
        self._ticket: Ticket | None = None  # what was believed of the endpoint before the pick
        self.reservation: Reservation | None = None

    def take(self, pool: str, address: str, values: PickValues | None, now_s: float) -> None:
        """Count the request at *address*; *values* are None if its prompt is not to be read."""
        self.release(now_s)
        self._values = values
        self.reservation = self._store.reserve(pool, address, now_s)
        if values and (self._learns or values.prefix_was_read):
            index = self._store.prefixes[pool]
            self._ticket = index.insert(address, values.hashes, values.prompt)

    def move(self, served: str, now_s: float) -> None:
        """Count the request at *served*; the endpoint picked was not sent its prompt."""
        reservation, values = self.reservation, self._values
        assert reservation is not None, "what was not placed cannot be moved"
        self.reservation = self._store.move(reservation, served, now_s)
        if values and self._ticket:
            index = self._store.prefixes[reservation.pool]
            self._take_back(index, reservation.address, values)
            self._ticket = index.insert(served, values.hashes, values.prompt)

    def end(self, status: int, observed: Observed, now_s: float) -> None:
        """Stop counting the request, whose answer has ended, and learn from what was *observed*.

        A prompt that was answered with an error is cached nowhere.
        """
        reservation, values, ticket = self.reservation, self._values, self._ticket
        self.release(now_s)
        if reservation is None or values is None or ticket is None:
            return
        index = self._store.prefixes.get(reservation.pool)
        if index is None:
            return
        if 200 <= status < 300:
            index.settle(ticket, values.prompt, observed)
            self._match(reservation, values, observed, now_s)
        elif status >= 400:
            self._take_back(index, reservation.address, values)

    def _match(
        self, reservation: Reservation, values: PickValues, observed: Observed, now_s: float
    ) -> None:
        """Find the prompt in what its server reports of its cache, if it does."""
        book = self._store.kv.get(reservation.pool)
        tokens, cached, answer = observed
        if book is not None and tokens and cached is not None and values.hashes:
            request = Answered(
                values.prompt, reservation.picked_s, now_s, tokens, cached, answer or 0
            )
            book.ended(reservation.address, request, now_s)

    def _take_back(self, index: PrefixIndex, address: str, values: PickValues) -> None:
        """Forget what the endpoint at *address* was to get by this request alone."""
        if self._ticket is not None:
            fresh = (*values.hashes[self._ticket.plain :], values.prompt.end)
            index.withdraw(address, fresh, self._ticket.stamp)

    def release(self, now_s: float) -> None:
        """Stop counting the request, if it is counted."""
        if self.reservation is not None:
            self._store.release(self.reservation, now_s)
            self.reservation = None
