"""One request at the door of a pool where requests may have to wait."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace

from msgspec import structs

from headrace.extensions.picker.decision import Fault
from headrace.extensions.picker.flow.turn import Turn
from headrace.extensions.picker.flow.waited import Waited, turned_away
from headrace.extensions.picker.flow.waiter import How, Turned, Waiter
from headrace.extensions.picker.gate import Gate
from headrace.extensions.picker.pressure import Arrival
from headrace.extensions.picker.snapshot import PoolState
from headrace.extensions.picker.store import Store
from headrace.extensions.picker.values import PickValues
from headrace.extensions.records import RuleError
from headrace.extensions.stage import Action, Asking, Continue, Reject

Pick = Callable[[PickValues, float, tuple[Fault, ...]], Action]


@dataclass(slots=True)
class Visit:
    """A request from its arrival to its pick. Written by the hooks of its exchange only.

    pick  takes what failed on the way, too
    """

    gate: Gate
    store: Store
    seed: int
    values: PickValues
    pick: Pick = field(repr=False)
    _wait_begun: tuple[Waiter, Waited] | None = None
    _came_s: float | None = None

    def admit(self, now_s: float) -> Action | Asking:
        """Pick if nothing is in the way; else return the wait, or why there is none."""
        if self._came_s is None:
            self._came_s = now_s
        arrival = self._arrival(now_s)
        guest = self.gate.guest(arrival)
        if guest is not None:
            return self._enter(*guest, (), now_s)
        found = self.gate.press(arrival)
        if found.reject is not None:
            return found.reject
        if found.queue is None or not arrival.pool.ready:  # no turn comes where nobody serves
            return self.pick(self.values, now_s, found.faults)
        waiter, waited, faults = self.gate.waiter(found.queue, arrival)
        return self._enter(waiter, waited, found.faults + faults, now_s)

    def cut_short(self, now_s: float) -> Reject | None:
        """Return the answer to a request whose wait the host broke off; None if it did not wait.

        Outside full duplex Envoy waits no longer than its own timer; to let the request
        through then would be to let everybody through.
        """
        if self._wait_begun is None:
            return None
        waiter, waited = self._wait_begun
        flow = self.store.flows.of(waited.pool, now_s)
        again_s = flow.retry_after_s(waiter.rank, waiter.expires_s - waiter.entered_s)
        late = Turned(waiter.lane.late, now_s, now_s - waiter.entered_s, again_s)
        answer = turned_away(waited.pool, waiter, late)
        return replace(answer, records=(_record(waited, late),))

    def left(self, now_s: float) -> tuple[Waited, ...]:
        """Return the record of the wait that the client did not see to its end, if there is one."""
        if self._wait_begun is None:
            return ()
        waiter, waited = self._wait_begun
        return (_record(waited, Turned(How.GONE, now_s, now_s - waiter.entered_s)),)

    def _arrival(self, now_s: float) -> Arrival:
        name = self.values.route.pool
        pool = self.store.snapshot.pools.get(name) or PoolState(name)
        waited_s = 0.0 if self._came_s is None else max(0.0, now_s - self._came_s)
        return Arrival(self.values, pool, now_s, self.seed, self.store.flows.find(name), waited_s)

    def _enter(
        self, waiter: Waiter, waited: Waited, faults: tuple[Fault, ...], now_s: float
    ) -> Action | Asking:
        refused = self.store.flows.of(waited.pool, now_s).enter(waiter, now_s)
        if refused is not None:
            errors = tuple(RuleError(f.rule, f.kind) for f in faults)
            return _ended(turned_away(waited.pool, waiter, refused), waited, refused, errors)
        return self._wait(waiter, waited, faults)

    async def _wait(self, waiter: Waiter, waited: Waited, faults: tuple[Fault, ...]) -> Action:
        """Wait; once served, pick by what is known then, after a further wait if need be."""
        flow = self.store.flows.of(waited.pool, waiter.entered_s)
        self._wait_begun = waiter, waited
        try:
            turned = await Turn(flow, waiter)
            if turned.how is not How.SERVED:
                errors = tuple(RuleError(f.rule, f.kind) for f in faults)
                return _ended(turned_away(waited.pool, waiter, turned), waited, turned, errors)
            self._wait_begun = None
            self.values.renew(self.store.prefixes.get(waited.pool))
            if waiter.lane.late is How.EXPIRED and self._arrival(turned.now_s).pool.ready:
                return _ended(self.pick(self.values, turned.now_s, faults), waited, turned)
        finally:
            flow.leave(waiter)
        # It has waited for an endpoint, or there is none any more: what is asked at a pool's
        # door is to be asked of the pool as it is now.
        again = self.admit(turned.now_s)
        action = await again if isinstance(again, Coroutine) else again
        return _ended(action, waited, turned)


def _ended(
    action: Action, waited: Waited, turned: Turned, errors: tuple[RuleError, ...] = ()
) -> Action:
    """Return *action* with the record of the wait that led to it."""
    record = _record(waited, turned)
    if isinstance(action, Continue):
        return structs.replace(action, records=(record, *action.records))
    assert isinstance(action, Reject), "the picker goes on or rejects"
    return replace(action, records=(record, *errors, *action.records))


def _record(waited: Waited, turned: Turned) -> Waited:
    return replace(waited, how=turned.how.value, waited_s=turned.waited_s)
