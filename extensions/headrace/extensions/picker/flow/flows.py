"""The queues of all pools, beside what is known of their endpoints: a reload leaves them alone."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from headrace.extensions.picker.flow.control import FlowControl, Noted
from headrace.extensions.picker.flow.waiter import How


@dataclass(slots=True)
class Flows:
    """A queue per pool, made when somebody first waits there. Written from one thread only.

    wake   called when a pool may have room again, as far as only a queue knows it
    noted  see `FlowControl`
    """

    wake: Callable[[], None] | None = field(default=None, repr=False)
    noted: Noted | None = field(default=None, repr=False)
    draining: bool = False
    _flows: dict[str, FlowControl] = field(default_factory=dict[str, FlowControl])

    def __iter__(self) -> Iterator[FlowControl]:
        """Yield every queue that there is."""
        return iter(self._flows.values())

    @property
    def crowded(self) -> frozenset[str]:
        """The pools for which somebody waits."""
        return frozenset([pool for pool, flow in self._flows.items() if len(flow)])

    def find(self, pool: str) -> FlowControl | None:
        """Return the queue of *pool*, if anybody has waited there yet."""
        return self._flows.get(pool)

    def of(self, pool: str, now_s: float) -> FlowControl:
        """Return the queue of *pool*, made at *now_s* if there is none."""
        flow = self._flows.get(pool)
        if flow is None:
            flow = self._flows[pool] = FlowControl(pool, wake=self._wake, noted=self._note)
            if self.draining:
                flow.drain(now_s)
        return flow

    def keep(self, pools: Collection[str]) -> None:
        """Forget the queues of other pools than *pools*, but for those in which somebody waits."""
        for name in self._flows.keys() - set(pools):
            if not len(self._flows[name]) and not self._flows[name].departed:
                del self._flows[name]

    def drain(self, now_s: float) -> None:
        """Turn away everybody who waits, and whoever would come to wait."""
        self.draining = True
        for flow in self._flows.values():
            flow.drain(now_s)

    def _wake(self) -> None:
        if self.wake is not None:
            self.wake()

    def _note(self, pool: str, how: How, waited_s: float) -> None:
        if self.noted is not None:
            self.noted(pool, how, waited_s)
