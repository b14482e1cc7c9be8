"""How an answer ended, as far as the picker learns from it."""

from msgspec import Struct

from headrace.extensions.picker.observed import Observed
from headrace.extensions.records import Usage
from headrace.extensions.stage import Outcome

SERVER_ERROR = 500
TOKENS_MAX = 1 << 24  # of a prompt or an answer, beyond any context; what says more is no count


class Ending(Struct, frozen=True):
    """What the picker looks back at.

    failed  the endpoint answered with an error, or broke off. A client that went away says
            nothing of the server; nor does an answer of ours
    """

    status: int
    failed: bool
    observed: Observed

    @classmethod
    def of(cls, outcome: Outcome) -> "Ending":
        """Return how *outcome* ended."""
        ours = outcome.termination == "client-gone" or outcome.reason is not None
        failed = not ours and (outcome.status >= SERVER_ERROR or outcome.status == 0)
        return cls(outcome.status, failed, _observed(outcome))


def _observed(outcome: Outcome) -> Observed:
    """Return what the server counted; without a stage that reads that, the events of a stream."""
    for run in reversed(outcome.runs):
        for record in run.records:
            if isinstance(record, Usage):
                said = (record.input_tokens, record.cached_tokens, record.output_tokens)
                return Observed(*map(_count, said))
    return Observed(answer_tokens=outcome.event_count if outcome.event_stream else None)


def _count(said: int | None) -> int | None:
    """Return the count that a server *said*; None if it cannot be one."""
    return said if said is not None and 0 <= said <= TOKENS_MAX else None
