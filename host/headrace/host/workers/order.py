"""What the process that looks after workers tells each of them: one line of JSON."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

OPERATOR_SOCKET = "operator.{}"


class Order(Struct, frozen=True):
    """Which worker to be, and how.

    index, count  from 1; of how many
    listen        where it listens for Envoy, as `--listen` is written
    folder        where the sockets between the processes are; nobody else may look into it
    session_key   signs session tokens, in hexadecimal; the same for all
    flags         what `serve` was given, by the names of its fields
    """

    index: int
    count: int
    listen: str
    folder: str
    session_key: str
    flags: Mapping[str, object]

    @property
    def operator_socket(self) -> Path:
        """Where it answers operators, and the process that looks after it."""
        return Path(self.folder) / OPERATOR_SOCKET.format(self.index)


def encoded(order: Order) -> bytes:
    """Return *order* as one line."""
    return msgspec.json.encode(order) + b"\n"


def decoded(line: bytes) -> Order:
    """Return the order in *line*.

    Raises:
        msgspec.DecodeError: there is none.
    """
    return msgspec.json.decode(line, type=Order)
