"""Publishes what a simulated server's cache changes, as vLLM's publisher does."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import zmq
import zmq.asyncio

from headrace.host.sim.blocks import CacheChange
from headrace.host.sim.kv_events import encode_changes

KEPT_MAX = 10_000  # messages for replay: vLLM's default
NUMBER_BYTES = 8
END = (-1).to_bytes(NUMBER_BYTES, "big", signed=True)


class KvPublisher:
    """A PUB socket and, with a replay port, a ROUTER, bound while its context is open.

    Used from one event loop. Raises OSError at entry if a port cannot be had.

    ports  of events and of their replay
    """

    def __init__(self, host: str, port: int, replay_port: int | None, topic: str) -> None:
        self._place = f"tcp://[{host}]" if ":" in host else f"tcp://{host}"
        self.ports = (port, replay_port)
        self._topic = topic.encode()
        self._context = zmq.asyncio.Context()
        self._sync = zmq.Context(self._context)
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=KEPT_MAX)
        self._next = 0
        self._pub: zmq.Socket[bytes] | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        port, replay_port = self.ports
        try:
            self._pub = self._sync.socket(zmq.PUB)
            self._bind(self._pub, port)
            if replay_port is not None:
                # Any: pyzmq types what its sockets take by half.
                router: Any = self._context.socket(zmq.ROUTER)
                self._bind(router, replay_port)
                self._task = asyncio.create_task(self._replay(router))
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise OSError(error.errno, f"kv events: {error}") from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._pub is not None:
            self._pub.close(linger=0)
        self._context.destroy(linger=0)

    def publish(self, changes: Sequence[CacheChange]) -> None:
        """Publish *changes* as one message; who does not listen misses it."""
        self.send(encode_changes(changes, time.time()))

    def send(self, payload: bytes, *, dropped: bool = False) -> None:
        """Publish *payload*; one that is *dropped* is lost on the way, and kept for replay."""
        assert self._pub is not None, "not open"
        number, self._next = self._next, self._next + 1
        self._kept.append((number, payload))
        if not dropped:
            named = number.to_bytes(NUMBER_BYTES, "big")
            self._pub.send_multipart((self._topic, named, payload), zmq.NOBLOCK)

    def _bind(self, socket: "zmq.Socket[Any]", port: int) -> None:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.IPV6, "[" in self._place)
        socket.bind(f"{self._place}:{port}")

    async def _replay(self, router: Any) -> None:
        """Answer every request for a replay with what is kept from its number on."""
        try:
            while True:
                frames: list[bytes] = await router.recv_multipart()
                if len(frames) != 3:
                    continue
                client, _, first = frames
                wanted = int.from_bytes(first, "big")
                for number, payload in list(self._kept):
                    if number >= wanted:
                        named = number.to_bytes(NUMBER_BYTES, "big")
                        await router.send_multipart((client, b"", named, payload))
                await router.send_multipart((client, b"", END, b""))
        finally:
            router.close(linger=0)
