"""What all other hosts have open at one endpoint, added up, and put on top of what is ours."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from headrace.extensions.picker.cost.ledger import RECENT_HALF_LIFE_S, Ledger
from headrace.extensions.picker.cost.load import MICROS, Carried
from headrace.extensions.picker.feedback import decay
from headrace.extensions.picker.peers.note import PICKS_MAX, Pick, Share


class Others(Struct, frozen=True):
    """The sums. Times are monotonic; what is not said here is as in `Share`.

    picks   when each of the newest was picked, and the tokens it adds
    unseen, unseen_tokens  of what is open, what the last scrape cannot have counted
    """

    open: int = 0
    tokens: int = 0
    uncached_tokens: int = 0
    decoding: int = 0
    prefills: int = 0
    prefill_pairs: int = 0
    decode_tokens: int = 0
    decode_first_us: int = 0
    decode_output_tokens: int = 0
    filled_tokens: int = 0
    recent_tokens: float = 0.0
    recent_at_s: float = 0.0
    picks: tuple[Pick, ...] = ()
    unseen: int = 0
    unseen_tokens: int = 0

    def since(self, scraped_s: float) -> "Others":
        """Return the same after a scrape that began at *scraped_s*."""
        fresh = [pick.kept_tokens for pick in self.picks if pick.at_s >= scraped_s]
        if (len(fresh), sum(fresh)) == (self.unseen, self.unseen_tokens):
            return self
        return replace(self, unseen=len(fresh), unseen_tokens=sum(fresh))

    def onto(self, ours: Carried) -> Carried:
        """Return *ours* with theirs on top, but for what only who watches an answer knows.

        Nothing is known of how far their answers are ahead of their time per token.
        """
        recent, at_s = _recent(
            (ours.recent_tokens, ours.recent_at_s), (self.recent_tokens, self.recent_at_s)
        )
        return replace(
            ours,
            prefills=ours.prefills + self.prefills,
            prefill_tokens=ours.prefill_tokens + self.uncached_tokens,
            prefill_pairs=ours.prefill_pairs + self.prefill_pairs,
            decode_tokens=ours.decode_tokens + self.decode_tokens,
            decode_first_us=ours.decode_first_us + self.decode_first_us,
            decode_output_tokens=ours.decode_output_tokens + self.decode_output_tokens,
            unseen_tokens=ours.unseen_tokens + self.unseen_tokens,
            filled_tokens=ours.filled_tokens + self.filled_tokens,
            recent_tokens=recent,
            recent_at_s=at_s,
        )


def others_of(shares: Iterable[Share], epoch_s: float, scraped_s: float) -> Others | None:
    """Return the sum of *shares*; None if nothing of theirs counts there.

    epoch_s    Unix minus monotonic time, here
    scraped_s  when the last scrape of the endpoint began
    """
    found = None
    for share in shares:
        if share.open or share.filled_tokens:
            found = _plus(found or Others(), share, epoch_s)
    return None if found is None else found.since(scraped_s)


def _plus(sums: Others, share: Share, epoch_s: float) -> Others:
    recent, at_s = _recent(
        (sums.recent_tokens, sums.recent_at_s), (share.recent_tokens, share.recent_at_s - epoch_s)
    )
    first_us = share.decode_first_us - round(share.decoding * epoch_s * MICROS)
    return Others(
        sums.open + share.open,
        sums.tokens + share.tokens,
        sums.uncached_tokens + share.uncached_tokens,
        sums.decoding + share.decoding,
        sums.prefills + share.prefills,
        sums.prefill_pairs + share.prefill_pairs,
        sums.decode_tokens + share.decode_tokens,
        sums.decode_first_us + first_us,
        sums.decode_output_tokens + share.decode_output_tokens,
        sums.filled_tokens + share.filled_tokens,
        recent,
        at_s,
        (*sums.picks, *[Pick(pick.at_s - epoch_s, pick.kept_tokens) for pick in share.picks]),
    )


def _recent(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Return the sum of two weights that decay, each as of its time, and as of when it is."""
    at_s = max(one[1], other[1])
    half_life_s = RECENT_HALF_LIFE_S
    left = [tokens * decay(at_s - then_s, half_life_s) for tokens, then_s in (one, other) if tokens]
    return sum(left), at_s


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
