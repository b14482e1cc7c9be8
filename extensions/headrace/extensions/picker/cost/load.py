"""The sum of what is open at one endpoint."""

from msgspec import Struct

MICROS = 1_000_000


class Carried(Struct, frozen=True):
    """What is open at one endpoint, added up. All are whole numbers, so that nothing is left over.

    prefills, prefill_tokens, prefill_pairs  ours without a first token yet: how many, the tokens
        they have to compute, and twice the token pairs of these
    batch_tokens, batch_pairs  of these, what the step under way computes, as far as we can tell
    batch_since_s              when that step began; it may be about to begin
    decode_tokens              prompt tokens of ours that are past their first token
    decode_first_us            when their first tokens came, microseconds, added up
    decode_output_tokens       how many tokens they are expected to become
    unseen_tokens              to be computed by requests that no scrape has counted
    foreign_waiting, foreign_running  requests there that are not ours, at the last scrape
    filled_tokens              sent there since it started: what its cache may hold
    slacks_s                   for each answer there with a time per token of its own, and not yet
        behind it: how far it is ahead, shortest first
    recent_tokens, recent_at_s  tokens to compute that were sent there lately, and as of when: the
        weight of each halves every `RECENT_HALF_LIFE_S`
    """

    prefills: int = 0
    prefill_tokens: int = 0
    prefill_pairs: int = 0
    batch_tokens: int = 0
    batch_pairs: int = 0
    batch_since_s: float = 0.0
    decode_tokens: int = 0
    decode_first_us: int = 0
    decode_output_tokens: int = 0
    unseen_tokens: int = 0
    foreign_waiting: int = 0
    foreign_running: int = 0
    filled_tokens: int = 0
    slacks_s: tuple[float, ...] = ()
    recent_tokens: float = 0.0
    recent_at_s: float = 0.0


NOTHING_CARRIED = Carried()
