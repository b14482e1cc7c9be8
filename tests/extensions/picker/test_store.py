import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from headrace.extensions.picker.snapshot import (
    Endpoint,
    Figures,
    Reservation,
    ServerFacts,
    Sums,
    sums,
)
from headrace.extensions.picker.store import Store
from tests.extensions.picker.build import NAMES, program, ready_store

A, B, C = NAMES


def endpoint(store: Store, address: str = A) -> Endpoint:
    found = store.snapshot.pools["gemma"].get(address)
    assert found is not None
    return found


def test_a_taken_snapshot_never_changes() -> None:
    store = ready_store(program())
    taken = store.snapshot
    reservation = store.reserve("gemma", A, 1.0)
    store.failed("gemma", B, "gone", 1.0, refused=True)

    assert all(e.in_flight == 0 and e.ready for e in taken.pools["gemma"].endpoints)
    assert endpoint(store).in_flight == 1
    assert store.snapshot.epoch == taken.epoch + 2
    assert store.snapshot.taken_at_s == 1.0
    store.release(reservation, 2.0)
    assert endpoint(store) == taken.pools["gemma"].endpoints[0]


def test_an_endpoint_is_not_ready_and_infinitely_old_until_its_first_scrape() -> None:
    store = Store.for_program(program())

    assert not endpoint(store).ready
    assert endpoint(store).age_s(0.0) == float("inf")
    store.scraped("gemma", A, ServerFacts(2, 3, 0.5), 1.0)
    assert endpoint(store).ready
    assert endpoint(store).age_s(1.5) == 0.5


def test_a_burst_between_two_scrapes_is_seen_at_once_and_counted_once() -> None:
    store = ready_store(program())
    early = store.reserve("gemma", A, 1.0)
    late = store.reserve("gemma", A, 2.5)

    assert (endpoint(store).queue, endpoint(store).in_flight) == (2, 2)
    store.scraped("gemma", A, ServerFacts(waiting=1), 2.0)  # the server has seen `early` only
    assert (endpoint(store).queue, endpoint(store).in_flight) == (2, 2)
    store.release(late, 3.0)
    assert (endpoint(store).queue, endpoint(store).in_flight) == (1, 1)
    store.release(early, 3.0)
    assert (endpoint(store).queue, endpoint(store).in_flight) == (1, 0)
    store.release(early, 3.0)
    assert endpoint(store).in_flight == 0


def test_a_request_served_elsewhere_is_counted_there() -> None:
    store = ready_store(program())
    moved = store.move(store.reserve("gemma", A, 1.0), B, 1.5)

    assert (endpoint(store, A).in_flight, endpoint(store, B).in_flight) == (0, 1)
    store.release(moved, 2.0)
    assert endpoint(store, B).in_flight == 0


def test_an_endpoint_that_does_not_answer_is_used_until_it_is_dead_and_recovers_at_once() -> None:
    store = ready_store(program())
    seen: list[bool] = []
    for now_s in (0.5, 5.0, 10.0, 10.5):  # `dead after` is 10 s
        store.failed("gemma", A, "slow", now_s)
        seen.append(endpoint(store).ready)
    assert seen == [True, True, True, False]
    assert (endpoint(store).error, endpoint(store).failures) == ("slow", 4)
    store.scraped("gemma", A, ServerFacts(), 10.7)
    assert endpoint(store).ready
    assert (endpoint(store).error, endpoint(store).failures) == ("", 0)


def test_a_refused_connection_counts_at_once_and_forgets_the_cache() -> None:
    store = ready_store(program())
    for address in (A, B):
        store.prefixes["gemma"].insert(address, [1, 2])
    store.failed("gemma", A, "connection refused", 0.1, refused=True)

    assert not endpoint(store).ready
    assert store.prefixes["gemma"].match([1, 2]) == {B: 1.0}


def test_a_restarted_server_has_lost_its_cache() -> None:
    store = Store.for_program(program())
    for started_s, expected in [(100.0, {A: 1.0}), (100.0, {A: 1.0}), (200.0, {})]:
        store.scraped("gemma", A, ServerFacts(started_s=started_s), started_s)
        if started_s == 100.0:
            store.prefixes["gemma"].insert(A, [1])
        assert store.prefixes["gemma"].match([1]) == expected


def test_what_a_scrape_does_not_say_stays_as_it_was() -> None:
    store = ready_store(program())
    store.scraped("gemma", A, ServerFacts(3, 4, 0.5, block_size=16, num_blocks=99), 1.0)
    store.scraped("gemma", A, ServerFacts(kv_cache=0.6, problems=("queue is missing",)), 2.0)
    now = endpoint(store)

    assert (now.queue, now.running, now.kv_cache) == (3, 4, 0.6)
    assert (now.block_size, now.num_blocks) == (16, 99)
    assert (now.ready, now.error) == (True, "queue is missing")


def test_a_scrape_that_began_before_the_last_good_one_is_old_news() -> None:
    store = ready_store(program(), now_s=5.0)
    store.scraped("gemma", A, ServerFacts(9), 4.0)

    assert endpoint(store).queue == 0


@pytest.mark.parametrize(
    ("declared", "reported", "loaded", "slots"),
    [
        (None, None, 0, 0),
        (None, 4, 1, 3),
        (2, 4, 1, 1),
        (8, 4, 1, 3),
        (3, None, 1, 2),
        (None, 2, 3, 0),
    ],
)
def test_adapter_slots_are_what_is_free_of_the_smaller_bound(
    declared: int | None, reported: int | None, loaded: int, slots: int
) -> None:
    store = Store.for_program(program(adapters_max=declared))
    names = tuple(f"lora-{n}" for n in range(loaded))
    store.scraped("gemma", A, ServerFacts(adapters=names, adapters_max=reported), 1.0)

    assert endpoint(store).adapters == names
    assert endpoint(store).adapter_slots == slots


def test_an_adapter_that_waits_takes_a_slot_and_is_not_loaded() -> None:
    store = Store.for_program(program(adapters_max=4))
    facts = ServerFacts(adapters=("a",), adapters_waiting=("b", "c"), adapters_max=4)
    store.scraped("gemma", A, facts, 1.0)
    found = endpoint(store)

    assert (found.adapters, found.adapters_waiting) == (("a",), ("b", "c"))
    assert found.adapter_slots == 1


def test_a_new_policy_keeps_what_is_known_and_lets_go_of_the_rest() -> None:
    store = ready_store(program())
    kept, lost = store.reserve("gemma", A, 1.0), store.reserve("gemma", C, 1.0)
    for address in (A, C):
        store.prefixes["gemma"].insert(address, [1])
    store.adopt(program(pools={"gemma": ("9.9.9.9:1", A), "other": (B,)}), 2.0)

    assert [e.address for e in store.snapshot.pools["gemma"].endpoints] == ["9.9.9.9:1", A]
    assert endpoint(store).in_flight == 1
    assert store.prefixes["gemma"].match([1]) == {A: 1.0}
    assert not store.snapshot.pools["other"].endpoints[0].ready
    store.release(lost, 3.0)
    store.release(kept, 3.0)
    assert endpoint(store).in_flight == 0
    assert store.reserve("gemma", C, 4.0).address == C
    store.scraped("gone", A, ServerFacts(), 4.0)
    store.failed("gemma", C, "gone", 4.0)


def test_means_are_over_the_ready_endpoints() -> None:
    store = ready_store(program())
    store.scraped("gemma", A, ServerFacts(3, 6, 0.9), 1.0)
    store.failed("gemma", C, "gone", 1.0, refused=True)
    pool = store.snapshot.pools["gemma"]

    assert (pool.size, pool.ready) == (3, 2)
    assert (pool.queue, pool.running, pool.kv_cache) == (1.5, 3.0, 0.45)
    assert sums([]) == Sums()


def test_figures_are_the_extremes_of_the_ready_endpoints() -> None:
    addresses = [f"a:{n}" for n in range(12)]
    store = Store.for_program(program(pools={"gemma": addresses}))
    assert store.snapshot.pools["gemma"].p90 == Figures()
    for n, address in enumerate(addresses[:10]):
        store.scraped("gemma", address, ServerFacts(n, 2 * n, n / 10, metrics={"x": 1.5}), 1.0)
    store.reserve("gemma", addresses[3], 2.0)
    pool = store.snapshot.pools["gemma"]

    assert pool.max == Figures(9, 18, 1, 0.9)
    assert pool.min == Figures(0, 0, 0, 0.0)
    assert pool.p90 == Figures(8, 16, 0, 0.8)
    assert pool.endpoints[0].metrics == {"x": 1.5}


def test_picks_that_no_scrape_has_seen_spread_a_burst_and_overload_no_pool() -> None:
    store = ready_store(program())
    before = store.snapshot.pools["gemma"].sums
    for _ in range(100):
        store.reserve("gemma", A, 2.0)
    pool = store.snapshot.pools["gemma"]

    assert endpoint(store).queue == 100
    assert pool.sums == before == sums(pool.endpoints)


class Bookkeeping(RuleBasedStateMachine):
    """Counts never drift, whatever the order of picks, scrapes and ends."""

    open_ones = Bundle("open_ones")

    def __init__(self) -> None:
        super().__init__()
        self.store = ready_store(program())
        self.now_s = 1.0
        self.waiting: dict[str, int] = dict.fromkeys(NAMES, 0)
        self.began: dict[str, float] = dict.fromkeys(NAMES, 0.0)
        self.held: dict[int, Reservation] = {}

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(target=open_ones, address=st.sampled_from(NAMES))
    def reserve(self, address: str) -> Reservation:
        made = self.store.reserve("gemma", address, self.now_s)
        self.held[made.id] = made
        return made

    @rule(reservation=consumes(open_ones), times=st.integers(1, 2))
    def release(self, reservation: Reservation, times: int) -> None:
        for _ in range(times):
            self.store.release(reservation, self.now_s)
        self.held.pop(reservation.id, None)

    @rule(target=open_ones, reservation=consumes(open_ones), address=st.sampled_from(NAMES))
    def move(self, reservation: Reservation, address: str) -> Reservation:
        self.held.pop(reservation.id, None)
        made = self.store.move(reservation, address, self.now_s)
        self.held[made.id] = made
        return made

    @rule(
        address=st.sampled_from(NAMES), waiting=st.integers(0, 9), ago=st.sampled_from([0.0, 0.2])
    )
    def scrape(self, address: str, waiting: int, ago: float) -> None:
        began_s = self.now_s - ago
        self.store.scraped("gemma", address, ServerFacts(waiting), began_s)
        if began_s >= self.began[address]:
            self.began[address], self.waiting[address] = began_s, waiting

    @rule(address=st.sampled_from(NAMES), refused=st.booleans())
    def fail(self, address: str, refused: bool) -> None:
        self.store.failed("gemma", address, "gone", self.now_s, refused=refused)

    @rule(address=st.sampled_from(NAMES))
    def answer_badly(self, address: str) -> None:
        self.store.unreadable("gemma", address, "no page", self.now_s)

    @invariant()
    def counts_are_right(self) -> None:
        for address in NAMES:
            mine = [r for r in self.held.values() if r.address == address]
            unseen = [r for r in mine if r.picked_s >= self.began[address]]
            now = endpoint(self.store, address)
            assert now.in_flight == len(mine)
            assert now.queue - now.queue_drift == self.waiting[address] + len(unseen)

    @invariant()
    def the_sums_are_those_of_the_endpoints(self) -> None:
        pool = self.store.snapshot.pools["gemma"]
        assert pool.sums == sums(pool.endpoints)


TestBookkeeping = Bookkeeping.TestCase
TestBookkeeping.settings = settings(max_examples=60, stateful_step_count=30)
