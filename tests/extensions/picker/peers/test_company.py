"""Several stores, each with its own scrapes, decide as one that has all requests would."""

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from headrace.extensions.picker.affinity import SESSION_TTL_S
from headrace.extensions.picker.peers.company import Company, Heed
from headrace.extensions.picker.peers.note import SAID_S, Note, Sent, encoded
from headrace.extensions.picker.peers.outbox import Outbox
from headrace.extensions.picker.prompt import Prompt
from headrace.extensions.picker.snapshot import Endpoint, Reservation, ServerFacts
from headrace.extensions.picker.store import Store
from headrace.extensions.work import Load
from tests.extensions.picker.build import NAMES, program, ready_store

A, B, C = NAMES
POOL = "gemma"


@dataclass(slots=True)
class Hosts:
    """Hosts with clocks that began at other times, and a way between them that may be cut."""

    count: int
    epochs: tuple[float, ...] = (1000.0, 1000.0, 1000.0)
    cut: bool = False
    each: list[Company] = field(default_factory=list[Company])

    def __post_init__(self) -> None:
        for at in range(self.count):
            outbox = Outbox(f"host-{at}", self.epochs[at])
            self.each.append(Company(ready_store(program()), outbox))

    def talk(self, unix_s: float) -> None:
        for company in self.each:
            for message in company.to_tell(unix_s - company.outbox.epoch_s):
                for other in self.each:
                    if not self.cut:
                        other.hear(message, unix_s - other.outbox.epoch_s)

    def store(self, at: int) -> Store:
        return self.each[at].store


def endpoint(store: Store, address: str = A) -> Endpoint:
    found = store.snapshot.pools[POOL].get(address)
    assert found is not None
    return found


def test_what_one_has_open_the_others_count_until_it_ends() -> None:
    hosts = Hosts(2)
    load = Load(100, 60, output_tokens=50, streams=True)
    reservation = hosts.store(0).reserve(POOL, A, 2.0, load)
    hosts.talk(1002.01)
    seen = endpoint(hosts.store(1))
    hosts.store(0).first_token(reservation, 2.2)
    hosts.talk(1002.21)
    later = endpoint(hosts.store(1))
    hosts.store(0).release(reservation, 2.5)
    hosts.talk(1002.51)
    after = endpoint(hosts.store(1))

    assert (seen.in_flight, seen.queue, seen.tokens_in_flight) == (1, 1, 100)
    assert (seen.uncached_tokens_in_flight, seen.decoding) == (60, 0)
    assert (later.uncached_tokens_in_flight, later.decoding) == (0, 1)
    assert (after.in_flight, after.queue, after.tokens_in_flight, after.decoding) == (0, 0, 0, 0)


def test_the_cost_model_sees_what_it_would_see_of_requests_of_its_own() -> None:
    """Two clocks that began at other times, as on two machines."""
    hosts = Hosts(2, epochs=(1000.0, 700.0, 0.0))
    alone = ready_store(program())
    load = Load(100, 60, output_tokens=50, streams=True)
    for store, offset_s in ((hosts.store(0), 0.0), (alone, 300.0)):
        first = store.reserve(POOL, A, 2.0 + offset_s, load)
        store.first_token(first, 2.5 + offset_s)
        store.reserve(POOL, A, 3.0 + offset_s, load)
    hosts.talk(1003.01)

    theirs, ours = endpoint(hosts.store(1)).carried, endpoint(alone).carried
    for name in theirs.__struct_fields__:
        if not name.startswith(
            "batch_"
        ):  # which of them the step under way computes, we cannot say
            assert getattr(theirs, name) == pytest.approx(getattr(ours, name), abs=1.0), name


def test_a_scrape_counts_the_requests_of_others_that_it_can_have_seen() -> None:
    hosts = Hosts(2)
    for at_s in (2.0, 4.0):
        hosts.store(0).reserve(POOL, A, at_s)
    hosts.talk(1004.01)
    hosts.store(1).scraped(POOL, A, ServerFacts(waiting=1, running=0), 3.0)
    found = endpoint(hosts.store(1))

    # One is in the server's queue by its own words, the other was sent since.
    assert (found.queue, found.waiting_scraped, found.unseen, found.in_flight) == (2, 1, 1, 2)
    assert (found.carried.foreign_waiting, found.carried.foreign_running) == (0, 0)


def test_what_a_dead_host_had_open_expires() -> None:
    hosts = Hosts(2)
    hosts.store(0).reserve(POOL, A, 2.0)
    hosts.talk(1002.0)
    assert endpoint(hosts.store(1)).in_flight == 1
    hosts.cut = True
    hosts.talk(1002.0 + SAID_S)
    assert endpoint(hosts.store(1)).in_flight == 1
    hosts.talk(1002.1 + SAID_S)

    assert endpoint(hosts.store(1)).in_flight == 0


def test_who_ends_in_order_is_forgotten_at_once() -> None:
    hosts = Hosts(2)
    hosts.store(0).reserve(POOL, A, 2.0)
    hosts.talk(1002.0)
    hosts.each[1].hear(hosts.each[0].farewell(2.1), 2.1)

    assert endpoint(hosts.store(1)).in_flight == 0
    assert hosts.store(0).outbox is None


def test_what_does_not_change_is_told_once_a_second_and_no_echo_of_others_ever() -> None:
    hosts = Hosts(2)
    hosts.store(0).reserve(POOL, A, 2.0)
    hosts.talk(1002.0)
    quiet = [list(c.to_tell(2.0 + n / 100)) for n in range(1, 90) for c in hosts.each]
    again = [list(c.to_tell(3.01)) for c in hosts.each]

    assert quiet == [[]] * 178
    assert [len(messages) for messages in again] == [1, 1]


def test_a_prompt_that_one_sent_is_believed_by_all() -> None:
    hosts = Hosts(2)
    prompt = Prompt((11, 12, 13), 14, 800)
    index = hosts.store(0).prefixes[POOL]
    index.insert(B, prompt.hashes, prompt)
    hosts.each[0].outbox.sent(POOL, B, index, prompt)
    hosts.talk(1002.0)

    assert hosts.store(1).prefixes[POOL].match((11, 12, 99, 98)) == {B: 0.5}


def test_blocks_that_are_cut_otherwise_and_endpoints_that_we_lack_are_not_learnt() -> None:
    company = Hosts(1).each[0]
    strange = Sent(POOL, A, 64, (1, 2), 3, 128), Sent(POOL, "10.9.9.9:1", 256, (1, 2), 3, 512)
    heed = company.hear(encoded(Note("x", 1, 1002.0, sent=strange)), 2.0)

    assert heed is Heed.TAKEN
    assert len(company.store.prefixes[POOL]) == 0


def test_a_session_that_one_bound_is_bound_for_all_and_the_later_of_two_counts() -> None:
    hosts = Hosts(2, epochs=(1000.0, 700.0, 0.0))
    for at, address, unix_s in ((0, A, 1002.0), (1, B, 1002.5)):
        now_s = unix_s - hosts.each[at].outbox.epoch_s
        hosts.store(at).affinities[POOL].bind("talk", address, now_s)
        hosts.each[at].outbox.bound(POOL, "talk", address, now_s)
    hosts.talk(1002.6)

    ages = (2.6, 302.6)
    found = [hosts.store(at).affinities[POOL].bonds("talk", ages[at]).session_at for at in (0, 1)]
    assert found == [B, B]


def test_a_session_that_is_no_text_keeps_nothing_else_from_being_told() -> None:
    hosts = Hosts(2)
    hosts.store(0).reserve(POOL, A, 2.0)
    for session in ("s\udcff", "s1"):
        hosts.each[0].outbox.bound(POOL, session, B, 2.0)
    hosts.talk(1002.01)

    assert endpoint(hosts.store(1)).in_flight == 1
    assert hosts.store(1).affinities[POOL].bonds("s1", 2.1).session_at == B
    assert hosts.each[0].outbox.dropped == 1


def test_a_clock_that_runs_ahead_does_not_bind_for_longer() -> None:
    hosts = Hosts(2, epochs=(5000.0, 1000.0, 0.0))
    hosts.each[0].outbox.bound(POOL, "talk", A, 2.0)
    for message in hosts.each[0].to_tell(2.0):
        hosts.each[1].hear(message, 2.0)
    affinity = hosts.store(1).affinities[POOL]

    assert affinity.bonds("talk", 2.0).session_at == A
    assert affinity.bonds("talk", 3.0 + SESSION_TTL_S).session_at == ""


@pytest.mark.parametrize("off_s", [-3600.0, 3600.0, 1e9])
def test_a_host_whose_clock_is_off_by_hours_counts_like_one_whose_clock_is_right(
    off_s: float,
) -> None:
    seen: list[Endpoint] = []
    bound: list[str] = []
    for epoch_s in (1000.0, 1000.0 + off_s):
        hosts = Hosts(2)
        hosts.store(1).reserve(POOL, A, 1.9, Load(10, 10))  # ours
        first = hosts.store(0).reserve(POOL, A, 1.95, Load(100, 60, output_tokens=50, streams=True))
        hosts.store(0).first_token(first, 1.98)
        hosts.store(0).reserve(POOL, A, 2.0, Load(100, 60))
        hosts.each[0].outbox.epoch_s = epoch_s
        hosts.each[0].outbox.bound(POOL, "talk", A, 2.0)
        for message in hosts.each[0].to_tell(2.0):
            hosts.each[1].hear(message, 2.0)
        affinity = hosts.store(1).affinities[POOL]
        affinity.heard("talk", B, 1.9)
        seen.append(endpoint(hosts.store(1)))
        bound.append(affinity.bonds("talk", 2.1).session_at)
    right, off = (replace(each.carried, recent_tokens=0.0, recent_at_s=0.0) for each in seen)

    assert off == replace(right, decode_first_us=off.decode_first_us)
    assert off.decode_first_us == pytest.approx(right.decode_first_us, abs=1)
    assert seen[1].carried.recent_tokens == pytest.approx(seen[0].carried.recent_tokens, rel=1e-3)
    assert bound == [A, A]


def test_what_cannot_be_read_changes_nothing() -> None:
    company = Hosts(1).each[0]
    before = company.store.snapshot

    assert company.hear(b"\x01garbage", 2.0) is Heed.UNREADABLE
    assert company.hear(encoded(Note("host-0", 1, 1002.0)), 2.0) is Heed.IDLE
    assert company.store.snapshot is before


PICKS = st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=60)


@given(picks=PICKS, seed=st.integers(0, 2**32))
def test_after_all_has_ended_nothing_is_left(picks: list[tuple[int, bool]], seed: int) -> None:
    hosts, drawn = Hosts(3), random.Random(seed)
    open_now: list[tuple[int, Reservation]] = []
    now_s = 2.0
    for at, ends in picks:
        now_s += 0.01
        if ends and open_now:
            owner, reservation = open_now.pop(drawn.randrange(len(open_now)))
            hosts.store(owner).release(reservation, now_s)
        else:
            address = NAMES[drawn.randrange(3)]
            load = Load(10, 5, output_tokens=drawn.randrange(2) * 9, streams=True)
            open_now.append((at, hosts.store(at).reserve(POOL, address, now_s, load)))
        hosts.cut = drawn.random() < 0.3
        hosts.talk(1000.0 + now_s)
    hosts.cut = False
    now_s += 1.1
    hosts.talk(1000.0 + now_s)
    exact = {name: sum(r.address == name for _, r in open_now) for name in NAMES}
    for at in range(3):
        assert {n: endpoint(hosts.store(at), n).in_flight for n in NAMES} == exact
    for owner, reservation in open_now:
        hosts.store(owner).release(reservation, now_s)
    hosts.talk(1000.0 + now_s + 1.1)
    for at in range(3):
        for name in NAMES:
            left = endpoint(hosts.store(at), name)
            assert (left.in_flight, left.queue, left.tokens_in_flight, left.decoding) == (0,) * 4


def spread(*, cut: bool) -> int:
    """Return how uneven 66 requests are that three hosts in turn give to the least busy."""
    hosts = Hosts(3, cut=cut)
    for n in range(66):
        store, now_s = hosts.store(n % 3), 2.0 + n / 100
        chosen = min(store.snapshot.pools[POOL].endpoints, key=lambda e: (e.queue, e.address))
        store.reserve(POOL, chosen.address, now_s)
        hosts.talk(1000.0 + now_s)
    counts = [
        sum(len(hosts.store(at).live[POOL].ledgers[place].open) for at in range(3))
        for place in range(3)
    ]
    return max(counts) - min(counts)


def test_hosts_that_talk_spread_requests_as_one_would_and_silent_ones_do_not() -> None:
    assert spread(cut=False) == 0
    assert spread(cut=True) == 3


def test_a_burst_of_each_host_that_begins_at_the_same_endpoint_is_seen_by_the_next() -> None:
    def most(*, cut: bool) -> int:
        hosts = Hosts(3, cut=cut)
        for n in range(3):  # one request to each host: alone, each takes the first
            store = hosts.store(n)
            chosen = min(store.snapshot.pools[POOL].endpoints, key=lambda e: (e.queue, e.address))
            store.reserve(POOL, chosen.address, 2.0 + n / 100)
            hosts.talk(1002.0 + n / 100)
        return max(
            sum(len(hosts.store(at).live[POOL].ledgers[p].open) for at in range(3))
            for p in range(3)
        )

    assert (most(cut=False), most(cut=True)) == (1, 3)
