"""How many calls of a guard are under way: the others wait for a slot."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

WAITING_PER_SLOT_MAX = 16  # who would wait behind more than these is told so at once


class Busy(Exception):
    """All slots of a guard are taken, and enough wait for one."""


class Slots:
    """The slots of all guards. Mutable; event loop's thread only. Of idle guards it keeps nothing.

    A guard's number of slots is what its last call said: a reload may change it.
    """

    def __init__(self) -> None:
        self._guards: dict[str, _Queue] = {}

    @asynccontextmanager
    async def one(self, guard: str, at_once: int) -> AsyncGenerator[None]:
        """Hold one of *at_once* slots of *guard* while the context is open.

        Raises:
            Busy: it would have to wait behind too many.
        """
        queue = self._guards.setdefault(guard, _Queue())
        try:
            await queue.enter(at_once)
            try:
                yield
            finally:
                queue.leave()
        finally:
            if queue.idle and self._guards.get(guard) is queue:  # another may have its place
                del self._guards[guard]


class _Queue:
    """Of one guard: how many slots are taken, and who waits, first come first served."""

    __slots__ = ("_at_once", "_taken", "_waiting")

    def __init__(self) -> None:
        self._at_once = 0
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def idle(self) -> bool:
        return not self._taken and not self._waiting

    async def enter(self, at_once: int) -> None:
        self._at_once = at_once
        self._serve()  # there may be more than there were
        if self._taken < at_once and not self._waiting:
            self._taken += 1
            return
        if len(self._waiting) >= at_once * WAITING_PER_SLOT_MAX:
            raise Busy
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.leave()  # it was served in the turn in which it gave up
            else:
                with suppress(ValueError):  # whoever left has passed it over already
                    self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        self._taken -= 1
        self._serve()

    def _serve(self) -> None:
        while self._waiting and self._taken < self._at_once:
            turn = self._waiting.popleft()
            if not turn.done():
                self._taken += 1
                turn.set_result(None)
