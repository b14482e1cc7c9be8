"""What is open at an endpoint adds up, and nothing is left over in the end."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from headrace.extensions.picker.cost.ledger import BATCH_TOKENS, Ledger
from headrace.extensions.picker.cost.load import NOTHING_CARRIED, Carried
from headrace.extensions.picker.snapshot import Endpoint, Reservation, ServerFacts
from headrace.extensions.picker.store import RESERVED_S_MAX, SWEEP_S, Store
from headrace.extensions.work import Load
from tests.extensions.picker.build import NAMES, program, ready_store

A, B, _ = NAMES
CHAT = Load(1000, 400, 100, streams=True)
WHOLE = Load(1000, 400, 100)


def endpoint(store: Store, address: str = A) -> Endpoint:
    found = store.snapshot.pools["gemma"].get(address)
    assert found is not None
    return found


def test_a_request_counts_its_tokens_from_the_pick_and_its_answer_from_the_first_token() -> None:
    store = ready_store(program())
    taken = store.reserve("gemma", A, 1.0, CHAT)
    picked = endpoint(store)
    store.first_token(taken, 1.5)
    begun = endpoint(store)
    store.release(taken, 2.0)
    ended = endpoint(store)

    assert (picked.tokens_in_flight, picked.uncached_tokens_in_flight) == (1000, 400)
    assert (picked.decoding, begun.decoding, ended.decoding) == (0, 1, 0)
    assert (begun.tokens_in_flight, begun.uncached_tokens_in_flight) == (1000, 0)
    assert (begun.carried.decode_tokens, begun.carried.decode_first_us) == (1000, 1_500_000)
    assert (ended.tokens_in_flight, ended.carried.decode_tokens) == (0, 0)


def test_what_is_not_followed_counts_its_prompt_and_is_in_no_queue() -> None:
    store = ready_store(program())
    store.reserve("gemma", A, 1.0, Load(1000, 400))

    assert endpoint(store).tokens_in_flight == 1000
    assert endpoint(store).uncached_tokens_in_flight == endpoint(store).carried.prefills == 0
    assert endpoint(store).carried.unseen_tokens == 400


def test_an_answer_that_is_no_stream_is_past_its_prompt_when_that_was_expected() -> None:
    ledger = Ledger()
    ledger.add(1, WHOLE, 10.0, predicted_s=0.5)
    ledger.advance(10.4)
    assert ledger.decoding == 0
    ledger.advance(10.6)
    assert ledger.decoding == 1
    assert ledger.decode_first_us == 10_500_000


def test_a_first_token_tells_of_those_before_it_that_cannot_be_watched() -> None:
    ledger = Ledger()
    ledger.add(1, WHOLE, 10.0, predicted_s=60.0)
    ledger.add(2, CHAT, 10.0, predicted_s=60.0)
    ledger.add(3, CHAT, 10.0, predicted_s=60.0)
    ledger.add(4, WHOLE, 10.0, predicted_s=60.0)
    ledger.first_token(3, 11.0)

    assert list(ledger.prefilling) == [2, 4]


def test_a_first_token_is_news_once() -> None:
    ledger = Ledger()
    ledger.add(1, CHAT, 10.0)

    assert ledger.first_token(1, 11.0) is not None
    assert ledger.first_token(1, 12.0) is None
    assert ledger.decode_first_us == 11_000_000


def test_a_step_takes_what_waits_up_to_its_bound_and_never_nothing() -> None:
    ledger = Ledger()
    huge = Load(3 * BATCH_TOKENS, 3 * BATCH_TOKENS, 1, streams=True)
    ledger.add(1, huge, 1.0)
    ledger.add(2, CHAT, 1.0)
    assert ledger.batch_tokens == 3 * BATCH_TOKENS
    for number in range(3, 40):
        ledger.add(number, CHAT, 1.5)
    ledger.first_token(1, 2.0)

    assert ledger.batch_tokens == BATCH_TOKENS // 400 * 400
    assert ledger.batch_since_s == 2.0


def test_what_a_scrape_counts_beyond_ours_is_of_others() -> None:
    ledger = Ledger()
    ledger.add(1, CHAT, 1.0)
    ledger.add(2, CHAT, 1.0)
    ledger.add(3, CHAT, 5.0)  # the scrape that began before has not seen it
    ledger.seen(2.0, waiting=3, running=4)

    assert (ledger.foreign_waiting, ledger.foreign_running) == (3, 2)
    assert list(ledger.unseen) == [3]
    ledger.seen(6.0, waiting=0, running=1)
    assert (ledger.foreign_waiting, ledger.foreign_running) == (0, 0)


def test_an_answer_is_ahead_of_its_own_time_per_token_or_behind() -> None:
    ledger = Ledger()
    for number, tpot_s in ((1, 0.5), (2, 0.05), (3, None)):
        ledger.add(number, Load(10, 10, 10, True, tpot_s), 0.0)
        ledger.first_token(number, 1.0)
    assert ledger.carried(1.2).slacks_s == pytest.approx((0.3,))  # 2 is behind: due at 1.05
    for _ in range(9):
        ledger.piece(2)
    assert ledger.carried(1.2).slacks_s == pytest.approx((0.3, 0.3))


def test_a_prompt_that_another_server_computes_takes_its_room_and_one_token_of_work() -> None:
    store = ready_store(program())
    taken = store.reserve("gemma", A, 1.0, CHAT.received(2.0))
    picked = endpoint(store)
    store.first_token(taken, 3.5)
    begun = endpoint(store)

    assert (picked.tokens_in_flight, picked.uncached_tokens_in_flight) == (1000, 1)
    assert (picked.carried.unseen_tokens, picked.carried.filled_tokens) == (400, 500)
    assert begun.carried.decode_tokens == 1000
    assert begun.outlook.feedback.speeds == 0
    assert Load(1000, 0, 100).received(1.0) == Load(1000, 0, 100, comes_s=1.0)


def test_one_that_is_no_stream_begins_when_its_prompt_has_come() -> None:
    store = ready_store(program())
    store.reserve("gemma", A, 1.0, WHOLE.received(2.0))
    store.reserve("gemma", A, 2.5, WHOLE)
    before = endpoint(store).decoding
    store.reserve("gemma", A, 3.5, WHOLE)

    assert (before, endpoint(store).decoding) == (0, 2)


def test_a_lost_release_does_not_count_for_ever() -> None:
    store = ready_store(program())
    lost = store.reserve("gemma", A, 1.0, CHAT)
    kept = store.reserve("gemma", B, RESERVED_S_MAX, CHAT)
    store.reserve("gemma", B, 1.5 + RESERVED_S_MAX + SWEEP_S, CHAT)

    assert endpoint(store, A).in_flight == endpoint(store, A).tokens_in_flight == 0
    assert endpoint(store, B).in_flight == 2
    store.release(lost, 5000.0)
    store.release(kept, 5000.0)
    assert (endpoint(store, A).in_flight, endpoint(store, B).in_flight) == (0, 1)


def test_a_restarted_server_has_nothing_in_its_cache() -> None:
    store = ready_store(program())
    store.scraped("gemma", A, ServerFacts(started_s=1.0), 1.0)
    store.reserve("gemma", A, 1.0, CHAT)
    assert endpoint(store).carried.filled_tokens == 500
    store.scraped("gemma", A, ServerFacts(started_s=2.0), 2.0)
    assert endpoint(store).carried.filled_tokens == 0


PLAIN = st.builds(
    Load,
    prompt_tokens=st.just(1000),
    uncached_tokens=st.integers(0, 1000),
    output_tokens=st.integers(0, 500),
    streams=st.booleans(),
    tpot_s=st.none() | st.floats(0.001, 1.0),
)
LOADS = PLAIN | PLAIN.map(lambda load: load.received(0.5))
LEFT = ("filled_tokens", "foreign_waiting", "foreign_running", "recent_tokens", "recent_at_s")


class Balance(RuleBasedStateMachine):
    """Requests come, begin, move and go, endpoints too: in the end nothing is counted."""

    open = Bundle("open")

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1.0
        self.store = ready_store(program())
        self.held: dict[int, Reservation] = {}

    def later(self) -> float:
        self.now_s += 0.25
        return self.now_s

    @rule(target=open, address=st.sampled_from((A, B)), load=LOADS)
    def reserve(self, address: str, load: Load) -> int:
        taken = self.store.reserve("gemma", address, self.later(), load)
        self.held[taken.id] = taken
        return taken.id

    @rule(which=open)
    def first_token(self, which: int) -> None:
        if which in self.held:
            self.store.first_token(self.held[which], self.later())
            self.store.piece(self.held[which])

    @rule(target=open, which=consumes(open), address=st.sampled_from((A, B)))
    def move(self, which: int, address: str) -> int:
        if which not in self.held:
            return which
        taken = self.store.move(self.held.pop(which), address, self.later())
        self.held[taken.id] = taken
        return taken.id

    @rule(which=open)
    def end(self, which: int) -> None:
        taken = self.held.pop(which, None)
        if taken is not None:
            self.store.answered(taken, self.later(), failed=False, output_tokens=7)
            self.store.release(taken, self.now_s)
            self.store.release(taken, self.now_s)

    @rule(waiting=st.integers(0, 9), late_s=st.sampled_from((0.0, 0.3, 2.0)))
    def scrape(self, waiting: int, late_s: float) -> None:
        self.store.scraped("gemma", A, ServerFacts(waiting, 3, 0.5), self.now_s - late_s)

    @rule(names=st.sampled_from(((A, B), (B,), (B, A))))
    def adopt(self, names: tuple[str, ...]) -> None:
        self.store.adopt(program(pools={"gemma": names}), self.now_s)

    @invariant()
    def no_sum_is_negative(self) -> None:
        for e in self.store.snapshot.pools["gemma"].endpoints:
            assert e.decoding + e.carried.prefills <= e.in_flight
            for name in Carried.__struct_fields__:
                if name != "slacks_s":
                    assert getattr(e.carried, name) >= 0, name

    def teardown(self) -> None:
        for taken in self.held.values():
            self.store.release(taken, self.later())
        for e in self.store.snapshot.pools["gemma"].endpoints:
            assert (e.in_flight, e.tokens_in_flight, e.uncached_tokens_in_flight) == (0, 0, 0)
            for name in Carried.__struct_fields__:
                if name not in LEFT:
                    assert getattr(e.carried, name) == getattr(NOTHING_CARRIED, name), name


TestBalance = Balance.TestCase
TestBalance.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
