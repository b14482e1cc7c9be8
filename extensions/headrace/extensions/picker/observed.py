"""What was predicted of a server's cache, and what the server then said."""

from dataclasses import dataclass
from typing import NamedTuple

from headrace.extensions.picker.holding import Holding


class Ticket(NamedTuple):
    """What was believed of an endpoint when a prompt was sent to it.

    had       blocks it had, answers included; *plain* without the answer that it repeats last
    supports  the stamp of the last block it had
    stamp     what this prompt's own blocks were stamped with
    """

    holding: Holding
    had: int
    plain: int
    supports: int
    stamp: int


class Observed(NamedTuple):
    """What a server said about one request. None: it did not say.

    answer_tokens  if it did not say, a count of what it sent
    """

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    answer_tokens: int | None = None


@dataclass(slots=True)
class Tally:
    """Tokens of the prompts whose servers said what they had cached: in all, as predicted, cached.

    Growing. Written by the index.
    """

    prompt: int = 0
    predicted: int = 0
    observed: int = 0
