"""Several endpoints behind one port of their host: the ranks of one server.

Each rank is picked, and counted, by an address of its own; requests go to the port of the
host, and a header tells which rank is meant. A proxy beside the server reads it; to one that
does not know that rank, as after a retry at another host, it means nothing.
Source: llm-d-router, data-parallel-profile-handler, and its sidecar.
"""

from collections.abc import Sequence

HEADER = "x-data-parallel-host-port"


def front(address: str, port: int) -> str:
    """Return where the host of *address* takes requests: at *port*."""
    return f"{address.rpartition(':')[0]}:{port}"


def fronts(addresses: Sequence[str], port: int) -> tuple[str, ...]:
    """Return where to go for *addresses*, in their order and each place once."""
    return tuple(dict.fromkeys(front(address, port) for address in addresses))
