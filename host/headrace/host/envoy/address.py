"""`ip:port` texts as values. No look-ups: a name is not an address here."""

from dataclasses import dataclass
from ipaddress import ip_address

PORT_MAX = 65_535


class AddressError(ValueError):
    """A text that should be ``ip:port`` is not. The message says what is wrong and the cure."""


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """An IP address without brackets, and a port; port 0 asks for a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, *, free_port: bool = False) -> Address:
    """Return *text*, ``127.0.0.1:9002`` or ``[::1]:9002``, as an Address.

    free_port  whether port 0 is allowed

    Raises:
        AddressError: *text* is no such address.
    """
    host, colon, port = text.rpartition(":")
    if not colon:
        raise AddressError(f"`{text}` has no port: write `ip:port`, e.g. `127.0.0.1:9002`")
    bracketed = host.startswith("[") and host.endswith("]")
    if ":" in host and not bracketed:
        raise AddressError(f"`{text}` is ambiguous: write IPv6 in brackets, e.g. `[::1]:9002`")
    return Address(_ip(host[1:-1] if bracketed else host, text), _port(port, text, free_port))


def _ip(host: str, text: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        raise AddressError(
            f"`{text}` does not begin with an IP address: write e.g. `127.0.0.1:9002`"
        ) from None


def _port(port: str, text: str, free_port: bool) -> int:
    low = 0 if free_port else 1
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and low <= int(port) <= PORT_MAX):
        raise AddressError(f"`{text}` has no valid port: use {low} to {PORT_MAX}")
    return int(port)
