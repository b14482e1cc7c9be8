"""A guard at its post: whom it asks, what it remembers, and what it does about the answer.

Shared by all exchanges of a policy. It keeps no text: only hashes of texts with a secret key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from headrace.dsl.guarding import Guard, OnTrouble
from headrace.extensions.safety.breaker import Breaker
from headrace.extensions.safety.contract import Direction, Hit, Kind, Provider, Trouble
from headrace.extensions.safety.memory import Memory

TIMEOUT_S = 1.0  # of a guard whose policy sets none

Finds = Callable[[str], Sequence[object]]
Settle = Callable[[str, int, bool], tuple[tuple[Hit, ...], int]]
"""A growing text, what of it is settled, whether it is whole -> what is found, what is settled."""


@dataclass(frozen=True, slots=True)
class Post:
    """A guard, who judges for it, and the state that its exchanges share.

    finds   of a guard that looks by itself: whether anything is found in a text, if not empty
    settle  of a guard that looks by itself: what it says of a text that is still being written
    key     of the hashes of texts
    """

    guard: Guard
    provider: Provider
    breaker: Breaker | None = None
    memory: Memory | None = None
    settle: Settle | None = field(default=None, repr=False)
    finds: Finds | None = field(default=None, repr=False)
    key: bytes = field(default=b"", repr=False)

    @property
    def name(self) -> str:
        return self.guard.name

    @property
    def local(self) -> bool:
        """Whether it judges at once, without a call."""
        return self.provider.reach.local

    @property
    def timeout_s(self) -> float:
        """How long it may take to judge what it is given at once."""
        return TIMEOUT_S if self.guard.timeout_s is None else self.guard.timeout_s

    def looks_at(self, direction: Direction) -> bool:
        """Return whether the policy wants it to judge what goes in *direction*."""
        return direction.value in self.guard.inspect

    def on(self, trouble: Trouble) -> OnTrouble:
        """Return what the policy says about *trouble*."""
        match trouble.kind:
            case Kind.TIMEOUT:
                return self.guard.on_timeout
            case Kind.UNREADABLE:
                return self.guard.on_unreadable
            case _:
                return self.guard.on_error


def looking(guard: Guard, provider: Provider, settle: Settle, finds: Finds, key: bytes) -> Post:
    """Return *guard*, which looks by itself, at its post."""
    assert provider.reach.local, "who looks by itself is local"
    return Post(guard, provider, settle=settle, finds=finds, key=key)


def asking(guard: Guard, provider: Provider, key: bytes = b"") -> Post:
    """Return *guard* at its post, with a breaker, and a memory if it has one: it asks by calls."""
    memory = None if guard.cache_s is None else Memory(guard.cache_s, guard.cache_entries)
    breaker = Breaker(guard.breaker_failures, guard.breaker_s)
    return Post(guard, provider, breaker, memory, key=key)
