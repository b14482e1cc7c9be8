"""Random life of a queue: whatever happens, each leaves once, and no bound is passed."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from headrace.extensions.picker.flow.control import DEPARTED_MAX, FlowControl
from headrace.extensions.picker.flow.waiter import How, Lane, Turned, Waiter
from tests.extensions.picker.flow.waiting import full, room

LANES = (
    Lane("few", 4, 1_000, uniform=True),
    Lane("many", 30, 300),
    Lane("strict", 10, 10_000, strict=True, uniform=True),
)
RANKS = st.sampled_from([-5.0, 0.0, 0.5, 10.0, float("-inf")])


class Life(RuleBasedStateMachine):
    """Requests come, go, are served, and wait for too long, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = FlowControl("p", noted=lambda pool, how, wait_s: self.noted.update([how]))
        self.noted: Counter[How] = Counter()
        self.now_s = 0.0
        self.waiting: list[Waiter] = []
        self.told: Counter[int] = Counter()
        self.departed: list[Waiter] = []
        self.entered = 0

    @rule(
        lane=st.sampled_from(LANES),
        rank=RANKS,
        key=st.sampled_from("abc"),
        wait_s=st.floats(0.1, 5.0),
        size=st.integers(0, 150),
    )
    def comes(self, lane: Lane, rank: float, key: str, wait_s: float, size: int) -> None:
        one = Waiter(lane, rank, self.now_s + wait_s, full, key, float(size + 1), 0.0, size)
        one.tell = lambda turned: self.hears(one, turned)
        self.entered += 1
        crowd = [w for w in self.waiting if w.lane is lane]
        fits = len(crowd) < lane.length_max
        fits = fits and sum(w.size_bytes for w in crowd) + size <= lane.bytes_max
        refused = self.flow.enter(one, self.now_s)

        assert (refused is None) == fits
        if refused is None:
            self.waiting.append(one)

    def hears(self, one: Waiter, turned: Turned) -> None:
        self.told[one.number] += 1
        self.waiting.remove(one)
        if turned.how is How.SERVED:
            self.departed.append(one)

    @rule(places=st.integers(0, 20), passed_s=st.floats(0.0, 1.0))
    def pumps(self, places: int, passed_s: float) -> None:
        self.now_s += passed_s
        before = len(self.departed)
        served = self.flow.pump(room(places), self.now_s)

        assert len(self.departed) == before + served
        left = min(places, DEPARTED_MAX) - len(self.departed)
        assert left <= 0 or not self.waiting  # whoever could go has gone

    @rule(passed_s=st.floats(0.0, 3.0))
    def time_passes(self, passed_s: float) -> None:
        self.now_s += passed_s
        self.flow.expire(self.now_s)

        assert all(w.expires_s > self.now_s for w in self.waiting)

    @rule(data=st.data())
    def somebody_leaves(self, data: st.DataObject) -> None:
        if self.waiting:
            self.flow.leave(data.draw(st.sampled_from(self.waiting)), self.now_s)

    @rule(data=st.data())
    def somebody_arrives_at_its_endpoint(self, data: st.DataObject) -> None:
        if self.departed:
            one = data.draw(st.sampled_from(self.departed))
            self.departed.remove(one)
            self.flow.leave(one)

    @invariant()
    def each_leaves_once(self) -> None:
        assert set(self.told.values()) <= {1}
        assert len(self.flow) == len(self.waiting)
        assert sum(self.noted.values()) + len(self.waiting) == self.entered
        assert self.noted == self.flow.outcomes

    @invariant()
    def no_bound_is_passed(self) -> None:
        assert self.flow.size_bytes == sum(w.size_bytes for w in self.waiting)
        assert self.flow.departed == len(self.departed) <= DEPARTED_MAX
        for lane in LANES:
            crowd = [w for w in self.waiting if w.lane is lane]
            assert len(crowd) <= lane.length_max
            assert sum(w.size_bytes for w in crowd) <= lane.bytes_max

    @invariant()
    def the_next_deadline_is_known(self) -> None:
        assert self.flow.due_s == min((w.expires_s for w in self.waiting), default=None)

    def teardown(self) -> None:
        self.flow.drain(self.now_s)
        assert not self.waiting
        assert set(self.told.values()) <= {1}


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
