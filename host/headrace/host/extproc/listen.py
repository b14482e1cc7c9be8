"""Addresses to listen on: TCP and Unix sockets, and listeners that follow renewed certificates."""

import asyncio
import logging
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from headrace.host.extproc.accept import Acceptor
from headrace.host.extproc.tls import Renewal, Tls, server_context

UNIX = "unix:"
BACKLOG = 1024
PORT_MAX = 65_535
LOOK_S = 1.0  # how often certificate files are looked at
PROBE_S = 1.0

log = logging.getLogger(__name__)


class ListenError(Exception):
    """An address that cannot be listened on: the operator's mistake."""


@dataclass(frozen=True, slots=True, order=True)
class UnixAddress:
    """A Unix socket, written ``unix:/path``."""

    path: str

    def __str__(self) -> str:
        return UNIX + self.path


def claim_unix(path: str) -> None:
    """Make room for a socket at *path*: remove one that a dead process has left.

    Raises:
        ListenError: something else is there, or somebody listens.
    """
    try:
        mode = os.stat(path, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ListenError(f"cannot listen on `{UNIX}{path}`: {_why(error)}") from error
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"cannot listen on `{UNIX}{path}`: a file is there, remove it")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            with suppress(FileNotFoundError):
                os.unlink(path)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            raise ListenError(f"cannot listen on `{UNIX}{path}`: {_why(error)}") from error
    raise ListenError(f"cannot listen on `{UNIX}{path}`: another process listens there")


def open_socket(address: str) -> socket.socket:
    """Return a socket bound to *address*, ``host:port`` or ``unix:/path``.

    Raises:
        ListenError: the address is taken, or none of ours.
    """
    if address.startswith(UNIX):
        path = address.removeprefix(UNIX)
        claim_unix(path)
        bound = socket.socket(socket.AF_UNIX)
        try:
            bound.bind(path)
        except OSError as error:
            bound.close()
            raise ListenError(f"cannot listen on `{address}`: {_why(error)}") from error
        return bound
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and port.isdecimal() and int(port) <= PORT_MAX):
        raise ListenError(f"cannot listen on `{address}`: write `ip:port`")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server(
            (host, int(port)), family=family, backlog=BACKLOG, dualstack_ipv6=host == "::"
        )
    except OSError as error:
        text = f"cannot listen on `{address}`: is the port taken? ({_why(error)})"
        raise ListenError(text) from error
    # Accepted connections inherit it. asyncio sets it only where the protocol number is known,
    # and without it the last octets of an answer may wait 40 ms for an acknowledgement.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


class Listener:
    """Accepts connections on one address, with TLS if wanted. Mutable; event loop's thread.

    One socket and one acceptor stay while certificates are renewed: no connection is refused
    or lost between.
    """

    def __init__(
        self,
        address: str,
        protocol: Callable[[], asyncio.Protocol],
        tls: Tls | None,
        cut: Callable[[], None],
    ) -> None:
        """Give each connection a *protocol*; tell *cut* of a handshake that came to nothing."""
        self._address = address
        self._protocol = protocol
        self._tls = tls
        self._cut = cut
        self._renewal = None if tls is None else Renewal(tls)
        self._socket: socket.socket | None = None
        self._inode: tuple[int, int] | None = None
        self._acceptor: Acceptor | None = None
        self._looked_s = 0.0

    def open(self) -> int:
        """Begin to accept and return the port, 0 for a Unix socket.

        Raises:
            ListenError: the address is taken, or none of ours.
        """
        context = None if self._tls is None else server_context(self._tls)
        self._socket = bound = open_socket(self._address)
        try:
            bound.listen(BACKLOG)
        except OSError as error:
            bound.close()
            raise ListenError(f"cannot listen on `{self._address}`: {_why(error)}") from error
        bound.setblocking(False)
        self._acceptor = Acceptor(bound, self._protocol, context, self._cut)
        self._acceptor.begin()
        if bound.family == socket.AF_UNIX:
            self._inode = _inode(self._path)
            return 0
        return int(bound.getsockname()[1])

    def close(self) -> None:
        """Accept no more."""
        if self._acceptor is not None:
            self._acceptor.close()
        if self._socket is not None:
            self._socket.close()
        if self._inode is not None and _inode(self._path) == self._inode:
            with suppress(OSError):
                os.unlink(self._path)

    def renew(self, now_s: float) -> None:
        """See whether the certificate's files have changed; to be called again and again."""
        if self._renewal is None or now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        tls = self._renewal.look()
        if tls is None or self._acceptor is None:
            return
        try:
            self._acceptor.context = server_context(tls)
        except OSError as error:  # SSLError, too
            log.warning("the certificate was not renewed: %s", _why(error))

    @property
    def _path(self) -> str:
        return self._address.removeprefix(UNIX)


def _inode(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _why(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return (text or str(error) or type(error).__name__).lower()
