"""What all other hosts have open at one endpoint, added up, and put on top of what is ours."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from headrace.extensions.picker.cost.ledger import RECENT_HALF_LIFE_S, Ledger
from headrace.extensions.picker.cost.load import MICROS, Carried
from headrace.extensions.picker.feedback import decay
from headrace.extensions.picker.peers.note import PICKS_MAX, Pick, Share


class Others(Struct, frozen=True):
    """The sums. Times are monotonic.

    shares  what is added up, times of each in Unix seconds
    epoch_s Unix minus monotonic time, here
    unseen, unseen_tokens  of what is open, what the last scrape cannot have counted
    """

    shares: tuple[Share, ...]
    epoch_s: float
    open: int = 0
    tokens: int = 0
    uncached_tokens: int = 0
    decoding: int = 0
    unseen: int = 0
    unseen_tokens: int = 0

    def since(self, scraped_s: float) -> "Others":
        """Return the same after a scrape that began at *scraped_s*."""
        fresh = [p for s in self.shares for p in s.picks if p.at_s - self.epoch_s >= scraped_s]
        return replace(
            self, unseen=len(fresh), unseen_tokens=sum([pick.kept_tokens for pick in fresh])
        )

    def onto(self, ours: Carried) -> Carried:
        """Return *ours* with theirs on top, but for what only who watches an answer knows.

        Nothing is known of how far their answers are ahead of their time per token.
        """
        shares, epoch_s = self.shares, self.epoch_s
        firsts_us = sum([s.decode_first_us for s in shares])
        at_s = max([ours.recent_at_s, *(s.recent_at_s - epoch_s for s in shares)])
        recent = ours.recent_tokens * decay(at_s - ours.recent_at_s, RECENT_HALF_LIFE_S)
        for s in shares:
            age_s = at_s - (s.recent_at_s - epoch_s)
            recent += s.recent_tokens * decay(age_s, RECENT_HALF_LIFE_S)
        return replace(
            ours,
            prefills=ours.prefills + sum([s.prefills for s in shares]),
            prefill_tokens=ours.prefill_tokens + self.uncached_tokens,
            prefill_pairs=ours.prefill_pairs + sum([s.prefill_pairs for s in shares]),
            decode_tokens=ours.decode_tokens + sum([s.decode_tokens for s in shares]),
            decode_first_us=ours.decode_first_us
            + firsts_us
            - round(self.decoding * epoch_s * MICROS),
            decode_output_tokens=ours.decode_output_tokens
            + sum([s.decode_output_tokens for s in shares]),
            unseen_tokens=ours.unseen_tokens + self.unseen_tokens,
            filled_tokens=ours.filled_tokens + sum([s.filled_tokens for s in shares]),
            recent_tokens=recent,
            recent_at_s=at_s,
        )


def others_of(shares: Iterable[Share], epoch_s: float, scraped_s: float) -> Others | None:
    """Return the sum of *shares*; None if nothing of theirs counts there.

    epoch_s    Unix minus monotonic time, here
    scraped_s  when the last scrape of the endpoint began
    """
    told = tuple(s for s in shares if s.open or s.filled_tokens)
    if not told:
        return None
    return Others(
        told,
        epoch_s,
        sum([s.open for s in told]),
        sum([s.tokens for s in told]),
        sum([s.uncached_tokens for s in told]),
        sum([s.decoding for s in told]),
    ).since(scraped_s)


def share_of(pool: str, address: str, ledger: Ledger, epoch_s: float) -> Share:
    """Return what *ledger*, of our own, has open at *address*."""
    newest: list[Pick] = []
    for entry in reversed(ledger.open.values()):
        if len(newest) == PICKS_MAX:
            break
        newest.append(Pick(entry.picked_s + epoch_s, entry.load.kept_tokens))
    return Share(
        pool,
        address,
        open=len(ledger.open),
        tokens=ledger.tokens,
        uncached_tokens=ledger.prefill_tokens,
        decoding=ledger.decoding,
        prefills=len(ledger.prefilling),
        prefill_pairs=ledger.prefill_pairs,
        decode_tokens=ledger.decode_tokens,
        decode_first_us=ledger.decode_first_us + round(ledger.decoding * epoch_s * MICROS),
        decode_output_tokens=ledger.decode_output_tokens,
        filled_tokens=ledger.filled_tokens,
        recent_tokens=ledger.recent_tokens,
        recent_at_s=ledger.recent_at_s + epoch_s,
        picks=tuple(newest),
    )
