"""Where one exchange is, as the store counts it: reserved at the pick, released at the end."""

from enum import Flag, IntEnum, auto

from msgspec.structs import replace

from headrace.extensions.picker.affinity import Affinity
from headrace.extensions.picker.ending import Ending
from headrace.extensions.picker.kv.matching import Answered
from headrace.extensions.picker.observed import Observed, Ticket
from headrace.extensions.picker.prefix import PrefixIndex
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


class Keep(Flag):
    """What the rules of a policy make it necessary to remember of requests."""

    NOTHING = 0
    SESSION = auto()
    COLD = auto()
    MEDIA = auto()


class Placement:
    """The place of one exchange. Written by the hooks of that exchange only.

    learns    note what its endpoint will have cached
    watch     what of its answer is followed
    keeps     what of it is remembered for later requests
    prefills  it is there for its prompt alone, which the cost model is to know of
    """

    __slots__ = (
        "_begun",
        "_keeps",
        "_learns",
        "_prefills",
        "_store",
        "_ticket",
        "_values",
        "reservation",
        "watch",
    )

    def __init__(
        self,
        store: Store,
        learns: bool,
        watch: Watch = Watch.NOTHING,
        keeps: Keep = Keep.NOTHING,
        prefills: bool = False,
    ) -> None:
        self._store = store
        self._learns = learns
        self._prefills = prefills
        self._keeps = keeps
        self._values: PickValues | None = None
        self._ticket: Ticket | None = None  # what was believed of the endpoint before the pick
        self._begun = False
        self.watch = watch
        self.reservation: Reservation | None = None

    def take(
        self,
        pool: str,
        address: str,
        values: PickValues | None,
        now_s: float,
        comes_s: float | None = None,
    ) -> None:
        """Count the request at *address*; *values* are None if its prompt is not to be read.

        comes_s  when another endpoint will have computed its prompt; None: it does so itself
        """
        self.release(now_s)
        self._values, self._ticket = values, None
        learns = values is not None and (self._learns or values.prefix_was_read)
        load = self._load(values, address, learns) if values else NO_LOAD
        load = load if comes_s is None else load.received(comes_s)
        self.reservation = self._store.reserve(pool, address, now_s, load)
        if values and learns:
            prompt = values.prompt
            index = self._store.prefixes[pool]
            self._ticket = index.insert(address, prompt.hashes, prompt)
            if self._store.outbox is not None:
                self._store.outbox.sent(pool, address, index, prompt)
        if values:
            self._remember(pool, address, values, now_s)

    def move(self, served: str, now_s: float) -> None:
        """Count the request at *served*; the endpoint picked was not sent its prompt."""
        reservation, values = self.reservation, self._values
        assert reservation is not None, "what was not placed cannot be moved"
        self.reservation = self._store.move(reservation, served, now_s)
        if values and self._ticket:
            index = self._store.prefixes[reservation.pool]
            self._take_back(index, reservation.address, values, self._ticket)
            self._ticket = index.insert(served, values.hashes, values.prompt)
            if self._store.outbox is not None:
                self._store.outbox.sent(reservation.pool, served, index, values.prompt)
        if values and Keep.SESSION in self._keeps:
            affinity = self._store.affinities.get(reservation.pool)
            if affinity is not None:
                self._bind(affinity, reservation.pool, served, values, now_s)
        if values and Keep.MEDIA in self._keeps and reservation.pool in self._store.affinities:
            self._store.affinities[reservation.pool].sent(served, values.media)

    def _remember(self, pool: str, address: str, values: PickValues, now_s: float) -> None:
        """Note in the pool's memory where the session went, and a prompt that nobody had."""
        affinity = self._store.affinities.get(pool) if self._keeps is not Keep.NOTHING else None
        if affinity is not None and Keep.SESSION in self._keeps:
            self._bind(affinity, pool, address, values, now_s)
        if affinity is not None and Keep.COLD in self._keeps and not values.prefix:
            affinity.went_cold(address)
        if affinity is not None and Keep.MEDIA in self._keeps:
            affinity.sent(address, values.media)

    def _bind(
        self, affinity: Affinity, pool: str, address: str, values: PickValues, now_s: float
    ) -> None:
        session = values.hints.session
        affinity.bind(session, address, now_s)
        if self._store.outbox is not None:
            self._store.outbox.bound(pool, session, address, now_s)

    def end(self, ending: Ending, now_s: float) -> None:
        """Learn from how the answer ended, and stop counting the request.

        A prompt that was answered with an error is cached nowhere.
        """
        reservation, values, ticket = self.reservation, self._values, self._ticket
        # The values lead back to the filter that has this place: only a collection would free them.
        self._values = self._ticket = None
        if reservation is not None and self.watch:
            streamed = values is not None and values.stream and 200 <= ending.status < 300
            if streamed and not (ending.failed or self._begun):
                self._store.blind_streams += 1
            tokens = ending.observed.answer_tokens or 0
            self._store.answered(reservation, now_s, failed=ending.failed, output_tokens=tokens)
        self.release(now_s)
        if reservation is None or values is None or ticket is None:
            return
        index = self._store.prefixes.get(reservation.pool)
        if index is None:
            return
        if 200 <= ending.status < 300:
            index.settle(ticket, values.prompt, ending.observed)
            self._match(reservation, values, ending.observed, now_s)
        elif ending.status >= 400:
            self._take_back(index, reservation.address, values, ticket)

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

    def _take_back(
        self, index: PrefixIndex, address: str, values: PickValues, ticket: Ticket
    ) -> None:
        """Forget what the endpoint at *address* was to get by this request alone."""
        fresh = (*values.hashes[ticket.plain :], values.prompt.end)
        index.withdraw(address, fresh, ticket.stamp)

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

    def release(self, now_s: float) -> None:
        """Stop counting the request, if it is counted."""
        if self.reservation is not None:
            self._store.release(self.reservation, now_s)
            self.reservation = None

    def _load(self, values: PickValues, address: str, matched: bool) -> Load:
        """Return what the request asks of *address*; what is cached there if it is *matched*."""
        if self._prefills:  # it is over when the answer begins, elsewhere, with its first token
            load = self._store.load(values.route.pool, address, values.work)
            return replace(load, output_tokens=1, streams=True, tpot_s=None)
        if self.watch:
            load = self._store.load(values.route.pool, address, values.work)
            seen = load.streams and self._store.blind_streams < BLIND_MIN
            return load if seen == load.streams else replace(load, streams=False)
        work = Work(values.prompt_tokens, prefix=values.prefix) if matched else None
        uncached = values.prompt_tokens if work is None else work.uncached_at(address)
        return Load(values.prompt_tokens, uncached)
