"""Takes the connections of one listening socket, and shakes hands with them if TLS is wanted.

Ours and not the loop's: its servers have a certificate each, so that a new certificate would
need a second one, and a connection that the first had just taken would be lost between the two.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import partial
from ssl import SSLContext, SSLError

HANDSHAKE_S = 10.0
HANDSHAKES_MAX = 512  # at once; the oldest gives way, for an honest one takes milliseconds
SHUTDOWN_S = 0.5  # many clients never answer the TLS farewell
AT_ONCE = 64  # before others get their turn of the loop
REST_S = 1.0  # when the system has no descriptor left

log = logging.getLogger(__name__)


class Acceptor:
    """Accepts on *listening*, which listens and does not block. Mutable; event loop's thread.

    context  for connections from now on, None for no TLS; may be changed at any time
    """

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        context: SSLContext | None,
        cut: Callable[[], None],
    ) -> None:
        """Give each connection a *protocol*; tell *cut* of a handshake that came to nothing."""
        self.context = context
        self._listening = listening
        self._protocol = protocol
        self._cut = cut
        self._loop = asyncio.get_running_loop()
        self._greeting: dict[asyncio.Task[None], socket.socket | None] = {}
        self._rest: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Accept from now on."""
        self._rest = None
        self._loop.add_reader(self._listening.fileno(), self._accept)

    def close(self) -> None:
        """Accept no more, and let go of who has not finished the handshake."""
        self._loop.remove_reader(self._listening.fileno())
        if self._rest is not None:
            self._rest.cancel()
        for task in self._greeting:
            task.cancel()

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(error)
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._greet(connection))
            self._greeting[task] = connection
            task.add_done_callback(self._greeted)
            if len(self._greeting) > HANDSHAKES_MAX:
                self._give_way()

    def _give_way(self) -> None:
        """Cancel the oldest handshake. Who is cancelled leaves in another turn of the loop."""
        for task in self._greeting:
            if not task.cancelling():
                task.cancel()
                return

    def _pause(self, error: OSError) -> None:
        log.error("no connection is accepted for %g s: %s", REST_S, error.strerror)
        self._loop.remove_reader(self._listening.fileno())
        self._rest = self._loop.call_later(REST_S, self.begin)

    async def _greet(self, connection: socket.socket) -> None:
        task = asyncio.current_task()
        assert task is not None, "it is one"
        self._greeting[task] = None  # the loop's from here on, to close it too
        connect = partial(self._loop.connect_accepted_socket, self._protocol, connection)
        try:
            if self.context is None:
                await connect()
            else:
                await connect(
                    ssl=self.context,
                    ssl_handshake_timeout=HANDSHAKE_S,
                    ssl_shutdown_timeout=SHUTDOWN_S,
                )
        except (SSLError, ConnectionAbortedError, asyncio.CancelledError):
            self._cut()
        except OSError as error:  # gone again
            log.debug("connection lost before it began: %s", error)

    def _greeted(self, task: "asyncio.Task[None]") -> None:
        connection = self._greeting.pop(task)
        if connection is not None:  # cancelled before it began
            connection.close()
            self._cut()
