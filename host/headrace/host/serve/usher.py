"""Lets those go who wait: looks at the queues when something has changed, and when it is time."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from headrace.extensions.picker.flow.control import FlowControl
from headrace.extensions.picker.flow.turn import Turn
from headrace.extensions.picker.flow.waiter import How, Turned
from headrace.extensions.picker.snapshot import PoolState
from headrace.extensions.picker.store import Store

log = logging.getLogger(__name__)
TICK_S = 0.1  # how long a change that nobody tells of, such as one of age, may go unseen
REST = 4.0  # times as long as it took to look, nobody looks again


class Usher:
    """Performs `Turn`. Mutable; event loop's thread only. While nobody waits it does nothing.

    noted  takes pool, how, and seconds, of everybody who has waited or was refused
    """

    def __init__(self, store: Store, noted: Callable[[str, How, float], None]) -> None:
        self._store = store
        self._timer: asyncio.TimerHandle | None = None
        self._soon: asyncio.Handle | None = None
        self._rested_s = 0.0
        self._failing: set[str] = set()
        store.flows.wake = self._stir
        store.flows.noted = noted

    async def turn(self, asked: Turn) -> Turned:
        """Return how the wait of *asked* has ended. Cancelling it ends nothing: its stage does."""
        waiter = asked.waiter
        if waiter.turned is None:
            ended: asyncio.Future[Turned] = asyncio.get_running_loop().create_future()

            def tell(turned: Turned) -> None:
                if not ended.done():
                    ended.set_result(turned)

            waiter.tell = tell
            self._store.watcher = self._stir
            self._arm(monotonic())
            await ended
        assert waiter.turned is not None, "it was told"
        return waiter.turned

    def drain(self) -> None:
        """Turn away everybody who waits, and whoever would."""
        self._store.flows.drain(monotonic())

    def close(self) -> None:
        """Look no more."""
        self._store.watcher = self._store.flows.wake = None
        for handle in (self._timer, self._soon):
            if handle is not None:
                handle.cancel()
        self._timer = self._soon = None

    def _stir(self) -> None:
        """Look soon: the caller is in the middle of something."""
        if self._soon is None:
            delay_s = max(0.0, self._rested_s - monotonic())
            self._soon = asyncio.get_running_loop().call_later(delay_s, self._look)

    def _look(self) -> None:
        """Let all go whose turn it is, and see when to look again."""
        self._soon = None
        now_s = monotonic()
        pools = self._store.snapshot.pools
        for flow in list(self._store.flows):
            if len(flow):
                self._pump(flow, pools.get(flow.pool) or PoolState(flow.pool), now_s)
        done_s = monotonic()
        self._rested_s = done_s + REST * (done_s - now_s)
        self._arm(now_s)

    def _pump(self, flow: FlowControl, pool: PoolState, now_s: float) -> None:
        """Let go whose turn it is in one queue; a bug met there leaves the other queues alone."""
        try:
            flow.pump(pool, now_s)
        except Exception:
            if flow.pool not in self._failing:
                log.exception("bug: the queue of pool `%s` serves nobody", flow.pool)
            self._failing.add(flow.pool)
        else:
            self._failing.discard(flow.pool)

    def _arm(self, now_s: float) -> None:
        """See to it that somebody looks by the next deadline, and at every tick."""
        waiting: list[FlowControl] = [flow for flow in self._store.flows if len(flow)]
        if not waiting:
            self._store.watcher = None
            return
        loop = asyncio.get_running_loop()
        due_s = min(flow.due_s or now_s for flow in waiting)
        delay_s = min(TICK_S, max(0.0, due_s - now_s) + 0.001)
        if self._timer is not None:
            if self._timer.when() <= loop.time() + delay_s:
                return
            self._timer.cancel()
        self._timer = loop.call_later(delay_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._look()
