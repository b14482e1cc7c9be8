"""Free ports for processes that are started a moment later."""

import os
import socket

# Below Linux's ephemeral ports (32768 and up), so that no outgoing connection takes one
# between the moment it was found free and the moment its process listens there.
_FIRST, _LAST = 20_000, 32_000


class NoFreePort(Exception):
    """Everything in the range is taken."""

    def __init__(self, count: int) -> None:
        super().__init__(f"no {count} free ports from {_FIRST} to {_LAST} on 127.0.0.1")


def free_ports(count: int, host: str = "127.0.0.1") -> tuple[int, ...]:
    """Return *count* different ports of *host* on which nobody listens now.

    Raises:
        NoFreePort: there are not that many.
    """
    # Two demos at once should not look in the same place.
    start = int.from_bytes(os.urandom(2), "big") % (_LAST - _FIRST)
    found: list[int] = []
    for step in range(_LAST - _FIRST):
        port = _FIRST + (start + step) % (_LAST - _FIRST)
        if _is_free(host, port):
            found.append(port)
            if len(found) == count:
                return tuple(found)
    raise NoFreePort(count)


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
