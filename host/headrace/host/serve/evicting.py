"""Waits beside exchanges that may be ended for more urgent ones."""

import asyncio

from headrace.extensions.picker.eviction import Evicted
from headrace.extensions.stage import Reject


async def evicted(asked: Evicted) -> Reject:
    """Return why the exchange of *asked* is to end, when it is; else wait to be cancelled."""
    stay = asked.stay
    if stay.ended is None:
        told: asyncio.Future[Reject] = asyncio.get_running_loop().create_future()

        def tell(reject: Reject) -> None:
            if not told.done():
                told.set_result(reject)

        stay.tell = tell
        try:
            return await told
        finally:
            stay.tell = None
    return stay.ended
