"""What every exchange of one chain has in common."""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.dsl.program import Program
from headrace.extensions.headers import Headers
from headrace.extensions.stage import Needs, Stage
from headrace.host.exchange.limits import Limits


def _nothing(_: object) -> None:
    """Count nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A chain ready to open exchanges. Built once per generation.

    forged  request headers -> the names of control headers that this client may not send
    needs   what all its stages together must see
    clock   monotonic seconds, for the durations in the log only; decisions use `now_s`
    epoch_s what the wall clock shows when the clock of `now_s` shows 0
    policy, generation, program  whose exchanges these are, for the record
    ended   called with every exchange at its end, once
    announce  traceparent, request id -> the traceparent to send upstream; empty leaves the
            client's; None where no span is ever announced
    as_reference  whether to do, beyond what Envoy needs, what llm-d's router does: name a request
            that has no `x-request-id`, tell the length of its body, send a JSON response whole
    plain_errors  whether whole answers that are errors look as that router's do
    hands_on      whether requests go on to another role of this process, which picks
    """

    chain: str
    stages: tuple[Stage, ...]
    limits: Limits
    forged: Callable[[Headers], tuple[str, ...]]
    needs: Needs
    clock: Callable[[], float]
    policy: str = ""
    generation: int = 0
    program: Program | None = None
    ended: Callable[[object], None] = _nothing
    epoch_s: float = 0.0
    announce: Callable[[str, str], str] | None = None
    as_reference: bool = False
    plain_errors: bool = False
    hands_on: bool = False
