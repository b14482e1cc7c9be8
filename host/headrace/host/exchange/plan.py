"""What every exchange of one chain has in common."""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.extensions.headers import Headers
from headrace.extensions.stage import Needs, Stage
from headrace.host.exchange.limits import Limits


@dataclass(frozen=True, slots=True)
class Plan:
    """A chain ready to open exchanges. Built once per generation.

    forged  request headers -> the names of control headers that this client may not send
    needs   what all its stages together must see
    clock   monotonic seconds, for the durations in the log only; decisions use `now_s`
    """

    chain: str
    stages: tuple[Stage, ...]
    limits: Limits
    forged: Callable[[Headers], tuple[str, ...]]
    needs: Needs
    clock: Callable[[], float]
