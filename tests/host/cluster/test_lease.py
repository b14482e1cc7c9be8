"""Elections, in virtual time: late, lost and repeated messages, clocks that differ, deaths."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.host.cluster.lease import Claim, Election, Look, Record, Terms

TIMEOUT_S = 5.0
DRIFT = 0.1  # of a clock's rate; between two, less than what lease and renewal allow
STORM_S = 120.0
CALM_S = 60.0  # 20 s for what is still on its way, a lease, and some looks


@dataclass(slots=True)
class Shelf:
    """The Lease as the API server has it."""

    record: Record = field(default_factory=Record)
    revision: int = 0

    def take(self, asked: Look | Claim) -> Record | None:
        """Return what the Lease says then; None: somebody else has written first."""
        if isinstance(asked, Claim):
            if asked.record.version != self.record.version:
                return None
            self.revision += 1
            self.record = replace(asked.record, version=str(self.revision))
        return self.record


@dataclass(slots=True)
class Replica:
    """A replica with a clock of its own. *alive*: it asks, and takes what comes."""

    election: Election
    offset_s: float
    rate: float
    alive: bool = True
    asked: int = 0

    def now_s(self, true_s: float) -> float:
        return self.offset_s + self.rate * true_s

    def leads(self, true_s: float) -> bool:
        """Return whether it believes so: one that is frozen wakes up and looks at its clock."""
        return self.alive and self.election.leads(self.now_s(true_s))


class World:
    """Some replicas and a server, with everything between them that *chance* brings."""

    def __init__(self, seed: int, replicas: int, storm_s: float = STORM_S) -> None:
        self.storm_s = storm_s
        self.chance = random.Random(seed)
        self.shelf = Shelf()
        self.true_s = 0.0
        self.leaders: list[str] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self.replicas: list[Replica] = []
        for _ in range(replicas):
            self.join()

    def join(self) -> None:
        chance = self.chance
        terms = Terms(f"replica-{next(self._number)}")
        rate = 1.0 + DRIFT * (2.0 * chance.random() - 1.0)
        one = Replica(Election(terms, chance.random), chance.uniform(-1e6, 1e6), rate)
        self.replicas.append(one)
        self.after(chance.random(), lambda: self.ask(one))

    def after(self, delay_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.true_s + delay_s, next(self._number), act))

    def run(self, until_s: float) -> None:
        """Let things happen, and look after each at who leads."""
        while self._events and self._events[0][0] <= until_s:
            self.true_s, _, act = heapq.heappop(self._events)
            act()
            leaders = [r.election.terms.identity for r in self.replicas if r.leads(self.true_s)]
            assert len(leaders) <= 1, f"{leaders} lead at {self.true_s}"
            if leaders and leaders != self.leaders[-1:]:
                self.leaders += leaders
        self.true_s = until_s

    @property
    def stormy(self) -> bool:
        return self.true_s < self.storm_s

    def delay_s(self) -> float:
        """Return how long a message takes; sometimes so long that nobody waits for it."""
        chance = self.chance
        if self.stormy and chance.random() < 0.2:
            return chance.uniform(0.0, 20.0)
        return chance.uniform(0.001, 0.1)

    def lost(self) -> bool:
        return self.stormy and self.chance.random() < 0.15

    def ask(self, one: Replica) -> None:
        if not one.alive:
            return
        if self.stormy and self.chance.random() < 0.03:  # it is frozen for a while
            self.after(self.chance.uniform(0.0, 25.0), lambda: self.ask(one))
            return
        sent_s = one.now_s(self.true_s)
        asked = one.election.ask(f"clock {sent_s}")
        one.asked += 1
        number = one.asked
        if not self.lost():
            self.after(self.delay_s(), lambda: self._arrive(one, number, asked, sent_s))
        self.after(TIMEOUT_S, lambda: self._answered(one, number, lambda: self._failed(one)))

    def _arrive(self, one: Replica, number: int, asked: Look | Claim, sent_s: float) -> None:
        record, election = self.shelf.take(asked), one.election

        def told() -> None:
            if record is None:
                self._failed(one)
            elif isinstance(asked, Look):
                election.told(record, self._now(one))
            else:
                election.granted(record, sent_s, self._now(one))

        if not self.lost():
            self.after(self.delay_s(), lambda: self._answered(one, number, told))

    def _answered(self, one: Replica, number: int, told: Callable[[], None]) -> None:
        """Take an answer, unless another request was made since, or it was answered."""
        if number != one.asked or not one.alive:
            return
        one.asked += 1
        told()
        delay_s = max(0.0, one.election.due_s - self._now(one)) / one.rate
        self.after(delay_s, lambda: self.ask(one))

    def leave(self, one: Replica, *, resign: bool) -> None:
        """Let a replica die, or end as it should."""
        claim = one.election.resign("clock") if resign else None
        one.alive = False
        if claim is not None and not self.lost():
            self.after(self.delay_s(), lambda: self._drop(claim))

    def _drop(self, claim: Claim) -> None:
        self.shelf.take(claim)

    def _failed(self, one: Replica) -> None:
        one.election.failed(self._now(one))

    def _now(self, one: Replica) -> float:
        return one.now_s(self.true_s)


@given(st.integers(0, 2**32), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_never_two_lead_and_when_the_storm_is_over_one_does_for_good(
    seed: int, replicas: int
) -> None:
    world = World(seed, replicas)
    for _ in range(world.chance.randrange(4)):
        at_s, resign = world.chance.uniform(0.0, STORM_S), world.chance.random() < 0.5

        def swap(resign: bool = resign) -> None:
            world.leave(world.chance.choice(world.replicas), resign=resign)
            world.join()

        world.after(at_s, swap)
    world.run(STORM_S + CALM_S)
    (leader,) = [one for one in world.replicas if one.leads(world.true_s)]
    before = len(world.leaders)
    world.run(STORM_S + CALM_S + 60.0)

    assert leader.leads(world.true_s)
    assert len(world.leaders) == before


def test_in_calm_weather_the_first_leads_soon_and_stays() -> None:
    world = World(7, 3, storm_s=0.0)
    world.run(2.0)
    first = list(world.leaders)
    world.run(600.0)

    assert len(first) == 1
    assert world.leaders == first


ME, THEM = "me", "them"


def election() -> Election:
    return Election(Terms(ME), lambda: 0.5)


def leading(at_s: float = 100.0) -> Election:
    """Return one that leads by a claim that was sent at *at_s*, and granted a second later."""
    one = election()
    one.told(Record(), at_s)
    one.granted(Record("1", ME, 15.0, "then"), at_s, at_s + 1.0)
    return one


def test_a_lease_that_is_not_there_is_created() -> None:
    one = election()
    assert one.ask("now") == Look()
    one.told(Record(), 100.0)

    assert one.due_s == 100.0
    assert one.ask("now") == Claim(Record("", ME, 15.0, "now", 0))
    assert not one.leads(100.0)


def test_one_leads_from_when_it_is_granted_until_the_renewal_counted_from_when_it_was_sent() -> (
    None
):
    one = leading(100.0)

    assert one.due_s == 102.0
    assert one.leads(109.9)
    assert not one.leads(110.0)


def test_a_lease_of_another_is_claimed_a_whole_lease_after_it_was_seen_to_change() -> None:
    one = election()
    one.told(Record("1", THEM, 15.0, "then", 3), 100.0)
    assert one.due_s == pytest.approx(103.2)
    one.told(Record("2", THEM, 15.0, "then", 3), 110.0)
    one.told(Record("2", THEM, 15.0, "then", 3), 124.9)
    assert one.ask("now") == Look()
    one.told(Record("2", THEM, 15.0, "then", 3), 125.0)

    assert one.ask("now") == Claim(Record("2", ME, 15.0, "now", 4))


@pytest.mark.parametrize(
    ("lasts_s", "free_s"), [(30.0, 30.0), (1.0, 1.0), (0.0, 15.0), (-5.0, 15.0), (2.0**31, 3600.0)]
)
def test_the_duration_that_counts_is_the_holders_within_reason(
    lasts_s: float, free_s: float
) -> None:
    one = election()
    one.told(Record("1", THEM, lasts_s), 0.0)
    one.told(Record("1", THEM, lasts_s), free_s - 0.1)
    before = one.ask("now")
    one.told(Record("1", THEM, lasts_s), free_s)

    assert before == Look()
    assert isinstance(one.ask("now"), Claim)


def test_a_lease_that_was_released_is_claimed_at_once() -> None:
    one = election()
    one.told(Record("9", "", 1.0, "then", 4), 100.0)

    assert one.due_s == 100.0
    assert one.ask("now") == Claim(Record("9", ME, 15.0, "now", 5))


def test_after_a_claim_without_an_answer_it_looks_and_claims_what_may_be_its_own() -> None:
    one = election()
    one.told(Record(), 100.0)
    one.failed(105.0)
    assert one.ask("now") == Look()
    one.told(Record("1", ME, 15.0, "then"), 106.0)
    assert not one.leads(106.0)

    assert one.ask("now") == Claim(Record("1", ME, 15.0, "then", 0))


def test_a_leader_whose_claims_fail_leads_until_its_renewal_is_over_and_tries_meanwhile() -> None:
    one = leading(100.0)
    for at_s in (102.0, 104.0, 106.0, 108.0):
        one.failed(at_s)
        assert one.due_s == at_s + 2.0
        assert one.leads(at_s)

    assert not one.leads(110.0)


@pytest.mark.parametrize("record", [Record("2", THEM, 15.0), Record("2", "", 1.0), Record()])
def test_a_leader_that_sees_it_is_none_leads_no_more(record: Record) -> None:
    one = leading(100.0)
    one.failed(102.0)
    one.told(record, 103.0)

    assert not one.leads(103.0)


def test_who_resigns_leads_no_more_and_leaves_the_lease_to_nobody() -> None:
    one = leading(100.0)

    assert one.resign("now") == Claim(Record("1", "", 1, "now", 0))
    assert not one.leads(100.5)
    one.granted(Record("2", ME, 15.0), 101.0, 101.5)
    assert not one.leads(101.5)


def test_who_does_not_hold_it_has_nothing_to_resign() -> None:
    one = election()
    one.told(Record("1", THEM, 15.0), 100.0)

    assert one.resign("now") is None
