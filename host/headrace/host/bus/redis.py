"""Carries messages between hosts by a stream of a Redis server; see `howto/scale.md`.

What is lost while the server is away stays lost: all that counts is said again every second.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any, cast
from urllib.parse import urlsplit

from headrace.host.bus.port import Hear, Lacking

KEY = "headrace:state:1"  # with the version of the notes in it
FIELD = b"n"
STREAM_MAX = 4096  # notes that the server keeps, about
WAITING_MAX = 512  # notes that wait to be sent
AT_ONCE = 256
BLOCK_MS = 1000
ANSWER_S = 3.0  # how long the server may take; longer than it blocks
BACKOFF_S, BACKOFF_S_MAX = 0.1, 2.0
CANCEL_S = 0.2

log = logging.getLogger(__name__)


def shown(url: str) -> str:
    """Return *url* without what is secret in it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


class Pause:
    """How long to wait before the next try: longer after each, up to a bound."""

    def __init__(self) -> None:
        self._delay_s = BACKOFF_S

    def next_s(self) -> float:
        """Return the seconds to wait now."""
        delay_s, self._delay_s = self._delay_s, min(BACKOFF_S_MAX, 2 * self._delay_s)
        return delay_s

    def over(self) -> None:
        """Begin anew: it has worked."""
        self._delay_s = BACKOFF_S


class RedisChannel:
    """The way by a Redis server. Event loop's thread only.

    Raises:
        Lacking: the client library is not installed.
    """

    name = "redis"

    def __init__(self, url: str) -> None:
        try:
            library: Any = import_module("redis.asyncio")  # its types are unknown in part
            from redis.exceptions import RedisError
        except ImportError as error:
            raise Lacking("Redis is not installed: `pip install 'headrace[redis]'`") from error
        self._errors = (RedisError, OSError, asyncio.TimeoutError)
        self._shown = shown(url)
        self._client: Any = library.Redis.from_url(
            url,
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
        )
        self._waiting: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._reading = self._writing = self._connected = False
        self._told_down = self._stopping = False

    @property
    def up(self) -> bool:
        """Whether the server carries notes, both ways."""
        return self._reading and self._writing

    async def start(self, hear: Hear) -> None:
        """Begin to connect; a server that is away stops nothing."""
        self._tasks = [
            asyncio.create_task(self._forever(self._write), name="state to redis"),
            asyncio.create_task(self._forever(partial(self._read, hear)), name="state from redis"),
        ]

    def send(self, message: bytes) -> int:
        """Let *message* wait to be sent; without the server, or without room, it is dropped."""
        if not self._connected or len(self._waiting) >= WAITING_MAX:
            return 1
        self._waiting.append(message)
        self._more.set()
        return 0

    async def stop(self) -> None:
        """Send what waits, if the server takes it at once, and end."""
        if self._connected and self._waiting:
            try:
                await asyncio.wait_for(self._flush(), ANSWER_S)
            except self._errors:
                log.info("state: Redis did not take the last word; it expires by itself")
        self._stopping = True
        while self._tasks:  # the library may take a cancellation for a time that is over
            for task in self._tasks:
                task.cancel()
            _, waiting = await asyncio.wait(self._tasks, timeout=CANCEL_S)
            self._tasks = list(waiting)
        await self._client.aclose()

    async def _forever(self, work: Callable[["Pause"], Awaitable[None]]) -> None:
        """Do *work* again and again, later and later while it fails."""
        pause = Pause()
        while not self._stopping:
            try:
                await work(pause)
            except self._errors as error:
                self._down(str(error) or type(error).__name__)
            except Exception as error:  # the library's, when it reads what is no Redis's answer
                self._down(f"what it answers makes no sense: {type(error).__name__}")
                with suppress(Exception):
                    await self._client.connection_pool.disconnect()  # the rest may wait there
            await asyncio.sleep(pause.next_s())

    async def _write(self, pause: "Pause") -> None:
        try:
            await self._client.ping()
            self._connected = True
            while True:
                await self._more.wait()
                self._more.clear()
                await self._flush()
                if (
                    not self._writing
                ):  # one that only reads, or is full, answers a ping all the same
                    self._writing = True
                    pause.over()
                    self._says_up()
        finally:
            self._connected = self._writing = False
            self._waiting.clear()
            self._more.clear()

    async def _flush(self) -> None:
        while self._waiting:
            pipe = self._client.pipeline(transaction=False)
            for _ in range(min(AT_ONCE, len(self._waiting))):
                note = self._waiting.popleft()
                pipe.xadd(KEY, {FIELD: note}, maxlen=STREAM_MAX, approximate=True)
            taken: list[Any] = await pipe.execute(raise_on_error=False)
            for answer in taken:
                if isinstance(answer, BaseException):
                    raise answer  # as it is: what the library says of it shows the note

    async def _read(self, hear: Hear, pause: "Pause") -> None:
        try:
            newest: Any = await self._client.xrevrange(KEY, count=1)
            last: Any = newest[0][0] if newest else "0-0"
            block_ms = None  # the first time, so that it is known at once that we may
            while True:
                found: Any = await self._client.xread({KEY: last}, count=AT_ONCE, block=block_ms)
                if not self._reading:
                    self._reading = True
                    pause.over()
                    self._says_up()
                block_ms = BLOCK_MS
                for _, entries in _streams(found):
                    for number, fields in entries:
                        last = number
                        hear(fields.get(FIELD, b""))
        finally:
            self._reading = False

    def _says_up(self) -> None:
        if self.up:
            self._told_down = False
            log.info("state: Redis at %s carries it", self._shown)

    def _down(self, why: str) -> None:
        if not self._told_down:
            self._told_down = True
            log.warning(
                "state: no Redis at %s (%s): deciding by what this host knows", self._shown, why
            )


def _streams(found: Any) -> Iterable[Any]:
    """Return pairs of stream and entries, whichever version of the protocol told them."""
    return cast(Iterable[Any], found.items() if hasattr(found, "items") else found or ())
