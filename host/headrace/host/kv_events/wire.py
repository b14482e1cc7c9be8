"""The ZeroMQ sockets of vLLM's event publisher, as a subscriber sees them.

PUB sends `[topic, number, payload]`, the number as eight bytes, big-endian. ROUTER answers
the number of a message with all that it keeps from there on, then -1. Source: vLLM,
distributed/kv_events.py; SGLang's is the same.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import zmq
import zmq.asyncio

MESSAGE_BYTES_MAX = 4 * 1024 * 1024  # a step yields kilobytes; who sends more is cut off
QUEUED_MAX = 1_000  # messages that wait for us; then the publisher drops, and we see the gap
REPLAY_S = 2.0  # between two messages of a replay: the publisher looks at its queue first
NUMBER_BYTES = 8
END = (-1).to_bytes(NUMBER_BYTES, "big", signed=True)


def subscriber(context: zmq.asyncio.Context, host: str, port: int) -> zmq.asyncio.Socket:
    """Return a socket that hears everything published at *host*, now or when it is up again."""
    socket = context.socket(zmq.SUB)
    _bound(socket, host)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(f"tcp://{host}:{port}")
    return socket


async def disconnected(socket: zmq.asyncio.Socket) -> None:
    """Return when a connection of *socket* has ended, by whichever side."""
    monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    try:
        await monitor.recv_multipart()
    finally:
        socket.disable_monitor()


async def replay(
    context: zmq.asyncio.Context, host: str, port: int, number: int
) -> AsyncIterator[tuple[int, bytes]]:
    """Yield number and payload of every message from *number* on that is kept at *host*.

    Raises:
        TimeoutError: nothing came for `REPLAY_S`.
        ValueError: what came is no replay.
    """
    socket: Any = context.socket(zmq.DEALER)  # Any: pyzmq types what it takes by half
    try:
        _bound(socket, host)
        socket.connect(f"tcp://{host}:{port}")
        await socket.send_multipart([b"", number.to_bytes(NUMBER_BYTES, "big")])
        while True:
            async with asyncio.timeout(REPLAY_S):
                frames: list[bytes] = await socket.recv_multipart()
            if len(frames) != 3 or len(frames[1]) != NUMBER_BYTES:
                raise ValueError("the replay sent something else")
            if frames[1] == END:
                return
            yield int.from_bytes(frames[1], "big"), frames[2]
    finally:
        socket.close(linger=0)


def _bound(socket: "zmq.Socket[Any]", host: str) -> None:
    # Any: pyzmq's socket is generic in what its calls return.
    socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES_MAX)
    socket.setsockopt(zmq.RCVHWM, QUEUED_MAX)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IPV6, host.startswith("["))
