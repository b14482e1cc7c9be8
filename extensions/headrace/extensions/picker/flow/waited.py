"""What observers are told of a wait, and what the client is told of one that came to nothing."""

from dataclasses import dataclass, field

from headrace.extensions.picker.flow.waiter import How, Turned, Waiter
from headrace.extensions.picker.snapshot import Endpoint
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Reject


@dataclass(frozen=True, slots=True)
class Waited:
    """That a request waited, or would have had to.

    rule   the condition that made it wait; empty in the waiting room of a pool without endpoints
    line   where that stands
    ahead  how many waited at its rank or above when it came
    how    of the words of `How`

    endpoints  of the pool, as they were when it came
    """

    pool: str
    rule: str
    line: str
    rank: float
    key: str
    ahead: int
    how: str = How.GONE.value
    waited_s: float = 0.0
    endpoints: tuple[Endpoint, ...] = field(default=(), repr=False)


def turned_away(pool: str, waiter: Waiter, turned: Turned) -> Reject:
    """Return the answer to a request whose wait was no success."""
    room = waiter.lane.late is How.NO_ENDPOINTS
    longest = f"{waiter.expires_s - waiter.entered_s:g}s"
    if turned.how is How.DRAINING:
        return Reject(Reason.DRAINING, "this host is going down; send it again")
    if room and turned.how is How.FULL:
        message = (
            f"no endpoint of pool `{pool}` is ready, and as many as may wait for one already do"
        )
        return Reject(Reason.NO_ENDPOINTS, message)
    if room:
        return Reject(Reason.NO_ENDPOINTS, f"no endpoint of pool `{pool}` came up within {longest}")
    if turned.how is How.FULL:
        message = f"pool `{pool}` is overloaded and its queue is full, try again later"
        return Reject(Reason.QUEUE_FULL, message, retry_after_s=turned.retry_after_s)
    message = f"pool `{pool}` is overloaded; the request's turn did not come within {longest}"
    return Reject(Reason.QUEUE_TIMEOUT, message, retry_after_s=turned.retry_after_s)
