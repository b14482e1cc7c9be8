"""What a role is: a chain behind a port of its own, and where its health is asked for."""

from dataclasses import dataclass, replace

from headrace.dsl.program import Chain
from headrace.host.cli.duration import DurationError, parse_duration
from headrace.host.envoy.address import Address, AddressError, parse_address

ANY = "*"  # the caller's metadata names the chain
PICKER, ROUTE, TRAFFIC = "picker", "route", "traffic"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - a load balancer and a kubelet come from outside

# What a policy that says nothing about a role runs in it. A gateway calls for a route before it
# chooses a backend, for traffic after that, and for an endpoint last.
BUILT_IN = {
    ROUTE: Chain(ROUTE, ("body_router", "observability")),
    TRAFFIC: Chain(TRAFFIC, ("safety", "observability")),
    PICKER: Chain(PICKER, ("body_router", "picker", "observability")),
}
# Those of the reference: its endpoint picker has 9002 and 9003, its body router 9004 and 9005.
PORTS = {PICKER: 9002, ROUTE: 9004, TRAFFIC: 9006}
_HEALTH, _TIMEOUT, _PLAIN = "health=", "timeout=", "plain"
TIMEOUT_S_MIN, TIMEOUT_S_MAX = 0.01, 3600.0  # Google's are 10 ms to 10 s, Envoy's up to an hour


class RoleError(ValueError):
    """A text that should say a role does not. The message says what is wrong and the cure."""


@dataclass(frozen=True, slots=True)
class Role:
    """One door.

    chain      the chain that runs there; ``*``: the one that the caller's metadata names
    pool       whose endpoints are picked, whatever the policy would choose; empty: as it says
    health     where the role's health is asked for without TLS; None: only where it listens
    timeout_s  how long the gateway waits for an answer
    tls        whether a certificate is shown, if need be one made at the start
    """

    chain: str
    listen: Address
    health: Address | None = None
    pool: str = ""
    timeout_s: float = 1.0
    tls: bool = True

    @property
    def name(self) -> str:
        """The name of the door, by which its exchanges are told apart."""
        return f"{self.chain}@{self.pool}" if self.pool else self.chain


def parse_role(text: str) -> Role:
    """Return the role that *text* says, e.g. ``picker@gemma=0.0.0.0:9012,health=9013,timeout=2s``.

    Without an address, the three roles that there are everywhere have the reference's ports.

    Raises:
        RoleError: it says none.
    """
    first, *more = text.split(",")
    name, equals, where = first.partition("=")
    chain, at, pool = name.partition("@")
    if not chain or (at and not pool):
        raise RoleError(f"`{text}` names no chain: write e.g. `picker` or `picker@gemma=IP:PORT`")
    listen = _address(where, name) if equals else _known(chain, name)
    role = Role(chain, listen, pool=pool)
    if not equals:
        role = replace(role, health=Address(listen.host, listen.port + 1))
    for word in more:
        role = _with(role, word)
    return role


def clashes(roles: tuple[Role, ...]) -> list[str]:
    """Return a line for each of *roles* that another one leaves no room for."""
    problems: list[str] = []
    names, ports = set[str](), dict[Address, str]()
    for role in roles:
        if role.name in names:
            problems.append(f"`{role.name}` is there twice: one port is enough, or name a pool")
        names.add(role.name)
        for address in (role.listen, role.health):
            if address is None or not address.port:
                continue
            if address in ports:
                other = ports[address]
                problems.append(f"`{role.name}`: `{other}` has port {address.port} already")
            ports[address] = role.name
    return problems


def _known(chain: str, name: str) -> Address:
    port = PORTS.get(chain)
    if port is None:
        known = ", ".join(f"`{name}`" for name in PORTS)
        raise RoleError(f"`{name}` says no address: write `{name}=IP:PORT`; only {known} have one")
    return Address(EVERYWHERE, port)


def _address(text: str, name: str) -> Address:
    try:
        return parse_address(text, free_port=True)
    except AddressError as error:
        raise RoleError(f"`{name}`: {error}") from error


def _with(role: Role, word: str) -> Role:
    """Return *role* with what *word* says of it."""
    if word == _PLAIN:
        return replace(role, tls=False)
    if word.startswith(_HEALTH):
        host = f"[{role.listen.host}]" if ":" in role.listen.host else role.listen.host
        health = _address(f"{host}:{word.removeprefix(_HEALTH)}", role.name)
        return replace(role, health=health)
    if word.startswith(_TIMEOUT):
        return replace(role, timeout_s=_timeout_s(word.removeprefix(_TIMEOUT), role.name))
    known = f"`{_HEALTH}PORT`, `{_TIMEOUT}DURATION` and `{_PLAIN}`"
    raise RoleError(f"`{role.name}`: `{word}` is not known: what follows a comma is {known}")


def _timeout_s(text: str, name: str) -> float:
    try:
        timeout_s = parse_duration(text)
    except DurationError as error:
        raise RoleError(f"`{name}`: {error}") from error
    if not TIMEOUT_S_MIN <= timeout_s <= TIMEOUT_S_MAX:
        allowed = f"{TIMEOUT_S_MIN:g} to {TIMEOUT_S_MAX:g} s"
        raise RoleError(f"`{name}`: a timeout of `{text}` is out of range: use {allowed}")
    return timeout_s
