"""Carries messages between hosts by a stream of a Redis server; see `howto/scale.md`.

What is lost while the server is away stays lost: all that counts is said again every second.
"""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from headrace.host.bus.port import Hear, Lacking

if TYPE_CHECKING:
    from redis.asyncio import Redis

KEY = "headrace:state:1"  # with the version of the notes in it
FIELD = b"n"
STREAM_MAX = 4096  # notes that the server keeps, about
WAITING_MAX = 512  # notes that wait to be sent
AT_ONCE = 256
BLOCK_MS = 1000
ANSWER_S = 3.0  # how long the server may take; longer than it blocks
BACKOFF_S, BACKOFF_S_MAX = 0.1, 5.0
SCHEMES = ("redis", "rediss", "unix")

log = logging.getLogger(__name__)


def shown(url: str) -> str:
    """Return *url* without what is secret in it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


class RedisChannel:
    """The way by a Redis server. Event loop's thread only.

    Raises:
        Lacking: the client library is not installed.
    """

    name = "redis"

    def __init__(self, url: str) -> None:
        try:
            import redis.asyncio as library
            from redis.exceptions import RedisError
        except ImportError as error:
            raise Lacking("Redis is not installed: `pip install 'headrace[redis]'`") from error
        self._errors = (RedisError, OSError, asyncio.TimeoutError)
        self._shown = shown(url)
        self._client: Redis = library.Redis.from_url(
            url,
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
        )
        self._waiting: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._reading = self._writing = False
        self._told_down = False

    @property
    def up(self) -> bool:
        """Whether the server answers, both ways."""
        return self._reading and self._writing

    async def start(self, hear: Hear) -> None:
        """Begin to connect; a server that is away stops nothing."""
        self._tasks = [
            asyncio.create_task(self._forever(self._write), name="state to redis"),
            asyncio.create_task(self._forever(lambda: self._read(hear)), name="state from redis"),
        ]

    def send(self, message: bytes) -> int:
        """Let *message* wait to be sent; without the server, or without room, it is dropped."""
        if not self._writing or len(self._waiting) >= WAITING_MAX:
            return 1
        self._waiting.append(message)
        self._more.set()
        return 0

    async def stop(self) -> None:
        """Send what waits, if the server takes it at once, and end."""
        if self._writing and self._waiting:
            try:
                await asyncio.wait_for(self._flush(), ANSWER_S)
            except self._errors:
                log.info("state: Redis did not take the last word; it expires by itself")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _forever(self, work: Any) -> None:  # a coroutine function without arguments
        """Do *work* again and again, later and later while it fails."""
        delay_s = BACKOFF_S
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            try:
                await work()
            except self._errors as error:
                self._down(error)
            if loop.time() - began_s > BACKOFF_S_MAX:
                delay_s = BACKOFF_S
            await asyncio.sleep(delay_s)
            delay_s = min(BACKOFF_S_MAX, 2 * delay_s)

    async def _write(self) -> None:
        try:
            await self._client.ping()
            self._writing = True
            self._says_up()
            while True:
                await self._more.wait()
                self._more.clear()
                await self._flush()
        finally:
            self._writing = False
            self._waiting.clear()

    async def _flush(self) -> None:
        while self._waiting:
            pipe = self._client.pipeline(transaction=False)
            for _ in range(min(AT_ONCE, len(self._waiting))):
                note = self._waiting.popleft()
                pipe.xadd(KEY, {FIELD: note}, maxlen=STREAM_MAX, approximate=True)
            await pipe.execute()

    async def _read(self, hear: Hear) -> None:
        try:
            newest: Any = await self._client.xrevrange(KEY, count=1)
            last: Any = newest[0][0] if newest else "0-0"
            self._reading = True
            self._says_up()
            while True:
                found: Any = await self._client.xread({KEY: last}, count=AT_ONCE, block=BLOCK_MS)
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

    def _down(self, error: BaseException) -> None:
        if not self._told_down:
            self._told_down = True
            why = str(error) or type(error).__name__
            log.warning(
                "state: no Redis at %s (%s): deciding by what this host knows", self._shown, why
            )


def _streams(found: Any) -> Any:
    """Return pairs of stream and entries, whichever version of the protocol told them."""
    return found.items() if isinstance(found, dict) else found or ()
