"""`headrace serve` by each transport, on TCP and on a Unix socket."""

import signal
import socket
from pathlib import Path

import pytest

from tests.host.cli.command import QUICKSTART, headrace, running

TRANSPORTS = ("native", "grpcio")
METRICS = ("--metrics-listen", "127.0.0.1:0")
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
SETTINGS = 4


def greets(connection: socket.socket) -> bool:
    """Return whether HTTP/2 is spoken on *connection*."""
    with connection:
        connection.settimeout(5)
        connection.sendall(HELLO)
        return connection.recv(9)[3] == SETTINGS


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_unix_socket_is_listened_on_and_gone_at_the_end(transport: str, tmp_path: Path) -> None:
    path = tmp_path / "s"
    flags = ("--transport", transport, "--listen", f"unix:{path}", *METRICS)
    with running("serve", QUICKSTART, *flags) as (process, ready):
        assert ready["listen"] == f"unix:{path}"
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(path))
        assert greets(connection)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0

    assert not path.exists()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_unix_socket_that_somebody_listens_on_is_left_to_him(
    transport: str, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        done = headrace(
            "serve", QUICKSTART, "--transport", transport, "--listen", f"unix:{path}", *METRICS
        )

    assert done.code == 1
    assert f"--listen: cannot listen on `unix:{path}`: another process listens there" in done.err


def test_a_unix_socket_needs_an_absolute_path() -> None:
    done = headrace("serve", QUICKSTART, "--listen", "unix:s", *METRICS)

    assert done.code == 2
    assert (
        "--listen: `unix:s` is no absolute path: write e.g. `unix:/run/headrace.sock`" in done.err
    )
