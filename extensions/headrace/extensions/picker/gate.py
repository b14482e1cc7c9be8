"""Who has to wait at a pool's door, and in which order: `queue` and `wait` of one policy."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from headrace.dsl.program import Class, Overload, Pool, Program, Queue, RuleFault, When
from headrace.extensions.picker.decision import Fault, line_of
from headrace.extensions.picker.flow.control import DEPARTED_MAX
from headrace.extensions.picker.flow.waited import Waited
from headrace.extensions.picker.flow.waiter import Blocked, How, Lane, Waiter
from headrace.extensions.picker.pressure import LOWEST, Arrival, Pressed, pressed
from headrace.extensions.picker.snapshot import PoolState
from headrace.extensions.picker.values import PickValues

KEY_MAX = 512  # characters of a fairness key that are told apart
ROOM_BYTES_MAX = 256_000_000
BETWEEN = "\x1f"
FOREVER_S = float("inf")


@dataclass(frozen=True, slots=True)
class Gate:
    """Makes waiters by the rules of one policy.

    lanes  of the overloads, by their place in the policy
    rooms  of the pools that wait for endpoints, each with its longest wait
    """

    overloads: tuple[Overload, ...] = field(repr=False)
    classes: tuple[Class, ...] = field(repr=False)
    lanes: Mapping[int, Lane]
    rooms: Mapping[str, tuple[Lane, float]]

    @classmethod
    def of(cls, program: Program) -> "Gate | None":
        """Return the gate of *program*; None if nobody ever waits by it."""
        lanes = {
            place: _lane(place, overload, overload.queue)
            for place, overload in enumerate(program.overloads)
            if overload.queue is not None
        }
        rooms = {n: (_room(p), p.wait_s) for n, p in program.pools.items() if p.wait_s > 0.0}
        fair = tuple(program.classes) if any(c.fairness for c in program.classes) else ()
        return cls(program.overloads, fair, lanes, rooms) if lanes or rooms else None

    def press(self, arrival: Arrival) -> Pressed:
        """Let go who may go, then say what the overloads make of who has come.

        While others wait, the pool is seen with what they and we have sent there already: who
        has come is not let past them by a figure that is old.
        """
        flow, pool = arrival.flow, arrival.pool
        if flow is None or not len(flow):
            return pressed(self.overloads, arrival)
        flow.pump(pool, arrival.now_s)
        if not len(flow) and not flow.departed:
            return pressed(self.overloads, arrival)
        seen = replace(arrival, pool=flow.projected(pool))
        found = pressed(self.overloads, seen)
        if found.reject is None and found.queue is None and flow.departed >= DEPARTED_MAX:
            return Pressed(None, self._behind(arrival), found.faults)
        return found

    def waiter(self, place: int, arrival: Arrival) -> tuple[Waiter, Waited, tuple[Fault, ...]]:
        """Return who is to wait by the overload at *place*, and what failed on the way."""
        overload, lane, faults = self.overloads[place], self.lanes[place], list[Fault]()
        queue, values, now_s = overload.queue, arrival.values, arrival.now_s
        assert queue is not None, "it has a lane"
        wait_s = min(queue.wait_s_max, _left_s(values.hints.ttl_s, arrival))
        slo_s = min(wait_s, _left_s(values.hints.slo_ttft_s, arrival))
        waiter = Waiter(
            lane,
            _rank(queue, arrival, faults),
            now_s + wait_s,
            _until(overload.when, values),
            self._key(queue, arrival, faults),
            _uncached(values) if queue.in_tokens else 1.0,
            now_s + slo_s if queue.soonest else 0.0,
            values.size,
        )
        rule = overload.when.rule
        return waiter, _waited(arrival, waiter, rule.text, line_of(rule)), tuple(faults)

    def guest(self, arrival: Arrival) -> tuple[Waiter, Waited] | None:
        """Return who is to wait until the pool has an endpoint; None if nobody may (any more).

        What has been waited before counts: a pool whose endpoints come and go keeps nobody
        for longer than it says.
        """
        lane, wait_s = self.rooms.get(arrival.pool.name, (None, 0.0))
        if lane is None or arrival.pool.ready:
            return None
        values = arrival.values
        wait_s = min(_left_s(wait_s, arrival), _left_s(values.hints.ttl_s, arrival))
        if arrival.waited_s and wait_s <= 0.0:
            return None
        until_s = arrival.now_s + wait_s
        key = values.hints.fairness_id[:KEY_MAX]
        rank, size = float(values.priority), values.size
        waiter = Waiter(lane, rank, until_s, _empty, key, 1.0, 0.0, size)
        return waiter, _waited(arrival, waiter, "", "")

    def _behind(self, arrival: Arrival) -> int | None:
        """Return the overload by which a request waits behind those that wait already."""
        pool, flow = arrival.pool.name, arrival.flow
        assert flow is not None, "somebody waits"
        for place in self.lanes:
            overload = self.overloads[place]
            if overload.queue is not None and (not overload.pools or pool in overload.pools):
                rank = _rank(overload.queue, arrival, [])
                return place if flow.ahead_of(rank) else None
        return None

    def _key(self, queue: Queue, arrival: Arrival, faults: list[Fault]) -> str:
        values = arrival.values
        texts = queue.fair or tuple(
            c.fairness for c in self._own(values, arrival.now_s) if c.fairness
        )
        if not texts:
            return values.hints.fairness_id[:KEY_MAX]
        found: list[str] = []
        for text in texts if queue.fair else texts[:1]:
            key = text.value(values, arrival.pool, arrival.now_s)
            if isinstance(key, RuleFault):
                faults.append(Fault(text.rule.name or text.rule.text, key.kind))
                key = ""
            found.append(key)
        return BETWEEN.join(found)[:KEY_MAX]

    def _own(self, values: PickValues, now_s: float) -> list[Class]:
        """Return the classes of a request, as the router found them."""
        found: list[Class] = []
        for one in self.classes:
            if one.name == values.route.kind or one.when.test(values, None, now_s) is True:
                found.append(one)
                if not one.also:
                    break
        return found


def _lane(place: int, overload: Overload, queue: Queue) -> Lane:
    reads = overload.when.rule.reads
    return Lane(
        f"queue {place}",
        queue.length_max,
        queue.bytes_max,
        queue.strict,
        all(name.startswith("pool.") for name in reads),
    )


def _room(pool: Pool) -> Lane:
    return Lane("room", pool.wait_max, ROOM_BYTES_MAX, uniform=True, late=How.NO_ENDPOINTS)


def _left_s(whole_s: float | None, arrival: Arrival) -> float:
    """Return what is left of *whole_s* since the request came; infinite if that is None."""
    return FOREVER_S if whole_s is None else max(0.0, whole_s - arrival.waited_s)


def _until(when: When, values: PickValues) -> Blocked:
    def blocked(pool: PoolState, now_s: float) -> bool:
        return pool.ready > 0 and when.test(values, pool, now_s) is True

    return blocked


def _empty(pool: PoolState, now_s: float) -> bool:
    return pool.ready == 0


def _rank(queue: Queue, arrival: Arrival, faults: list[Fault]) -> float:
    """Return what it is ranked by; what fails, or is no number, is the lowest."""
    rank = queue.by.value(arrival.values, arrival.pool, arrival.now_s)
    if isinstance(rank, RuleFault):
        faults.append(Fault(queue.by.rule.name or queue.by.rule.text, rank.kind))
        return LOWEST
    if rank != rank:
        faults.append(Fault(queue.by.rule.name or queue.by.rule.text, "nan"))
        return LOWEST
    return float(rank)


def _uncached(values: PickValues) -> float:
    """Return the prompt's tokens that no endpoint's cache has, at least 1."""
    cached = max(values.prefix.values(), default=0.0)
    return max(1.0, values.prompt_tokens * (1.0 - cached))


def _waited(arrival: Arrival, waiter: Waiter, rule: str, line: str) -> Waited:
    ahead = arrival.flow.ahead_of(waiter.rank) if arrival.flow is not None else 0
    pool, rank, key = arrival.pool, waiter.rank, waiter.key
    return Waited(pool.name, rule, line, rank, key, ahead, endpoints=pool.endpoints)
