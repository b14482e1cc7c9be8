"""Our open requests at one endpoint, one by one: from the pick to the first token to the end."""

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec import field as struct_field

from headrace.extensions.picker.cost.load import MICROS, Carried
from headrace.extensions.picker.feedback import decay
from headrace.extensions.work import Load

if TYPE_CHECKING:
    from headrace.extensions.picker.peers.others import Others

BATCH_TOKENS = 8192  # what a step computes at most, where nothing else is known
SLACKS_MAX = 256  # as many answers as a server writes at once by default
FILLED_MAX = 1 << 40
RECENT_HALF_LIFE_S = 4.0  # long against a step, short against how load changes


class Open(Struct):
    """One open request. Written by its Ledger only.

    predicted_s  how long its first token was expected to take, when it was picked
    first_us     when its first token came, in microseconds; None until then
    tokens       pieces of its answer that have come
    """

    load: Load
    picked_s: float
    predicted_s: float = 0.0
    first_us: int | None = None
    tokens: int = 0


class Ledger(Struct):
    """Our open requests at one endpoint, by id, and their sums. Written by the Store only.

    Those of which no output is expected are counted, and not followed from prompt to answer.

    unseen      picked since the last good scrape began, oldest first: no scrape has counted them
    prefilling  those without a first token, in the order in which the server takes them
    left        counted by a scrape and over since
    blind       of these, the ones whose first token nobody will see
    recent_tokens, recent_at_s  tokens to compute that were sent there lately, and as of when
    others      what other hosts have open there; None if nothing is known of any
    """

    open: dict[int, Open] = struct_field(default_factory=dict[int, Open])
    unseen: dict[int, float] = struct_field(default_factory=dict[int, float])
    prefilling: dict[int, Open] = struct_field(default_factory=dict[int, Open])
    tokens: int = 0
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
    with_slack: int = 0
    left: int = 0
    blind: int = 0
    decoding: int = 0
    recent_tokens: float = 0.0
    recent_at_s: float = 0.0
    others: "Others | None" = None

    def add(self, number: int, load: Load, now_s: float, predicted_s: float = 0.0) -> None:
        """Count a request that is picked now."""
        entry = Open(load, now_s, predicted_s)
        self.open[number] = entry
        self.unseen[number] = now_s
        self.tokens += load.prompt_tokens
        kept = load.kept_tokens
        self.unseen_tokens += kept
        self.filled_tokens = min(FILLED_MAX, self.filled_tokens + kept + load.output_tokens)
        if load.output_tokens:
            self._enter_prefill(number, entry, now_s)

    def remove(self, number: int, now_s: float) -> Open | None:
        """Stop counting a request; return it, None if it is not counted."""
        entry = self.open.pop(number, None)
        if entry is None:
            return None
        load = entry.load
        self.tokens -= load.prompt_tokens
        if self.unseen.pop(number, None) is not None:
            self.unseen_tokens -= load.kept_tokens
        else:
            self.left += 1
        if not load.output_tokens:
            return entry
        self.with_slack -= load.tpot_s is not None
        if entry.first_us is None:
            self._leave_prefill(number, entry, now_s)
        else:
            self.decoding -= 1
            self.decode_tokens -= load.prompt_tokens
            self.decode_first_us -= entry.first_us
            self.decode_output_tokens -= load.output_tokens
        return entry

    def first_token(self, number: int, now_s: float) -> Open | None:
        """Note that a request has its first token; return it, None if that is no news.

        A server takes prompts in order: those before it that cannot be watched have theirs, too.
        """
        entry = self.prefilling.get(number)
        if entry is None:
            return None
        passed = [n for n, e in self.prefilling.items() if n < number and not e.load.streams]
        for each in passed:
            self._start(each, self.prefilling[each], now_s)
        self._start(number, entry, now_s)
        return entry

    def piece(self, number: int) -> None:
        """Note that a piece of an answer has come: one token, as far as we can tell."""
        entry = self.open.get(number)
        if entry is not None:
            entry.tokens += 1

    def advance(self, now_s: float) -> None:
        """Take those that cannot be watched for past their first token when it was expected."""
        if not self.blind:
            return
        late = [
            (number, entry)
            for number, entry in self.prefilling.items()
            if not entry.load.streams and now_s >= entry.picked_s + entry.predicted_s
        ]
        for number, entry in late:
            self._start(number, entry, max(entry.picked_s + entry.predicted_s, entry.picked_s))

    def seen(self, began_s: float, waiting: int, running: int) -> None:
        """Forget the picks from before *began_s*: the scrape that began then has counted them.

        What it counted beyond ours, *waiting* or *running*, came to the server another way.
        """
        for number, picked_s in list(self.unseen.items()):
            if picked_s >= began_s:
                break
            del self.unseen[number]
            self.unseen_tokens -= self.open[number].load.kept_tokens
        self.left = 0
        known = len(self.open) - len(self.unseen)
        if self.others is not None:
            known += self.others.open - self.others.unseen
        foreign = max(0, waiting + running - known)
        self.foreign_waiting = min(foreign, waiting)
        self.foreign_running = foreign - self.foreign_waiting

    def expire(self, before_s: float) -> int:
        """Stop counting what was picked before *before_s*: its release is lost; return how many."""
        gone: list[int] = []
        for number, entry in self.open.items():
            if entry.picked_s >= before_s:
                break
            gone.append(number)
        for number in gone:
            self.remove(number, before_s)
        return len(gone)

    def carried(self, now_s: float) -> Carried:
        """Return the sums at *now_s*."""
        return Carried(
            len(self.prefilling),
            self.prefill_tokens,
            self.prefill_pairs,
            self.batch_tokens,
            self.batch_pairs,
            self.batch_since_s,
            self.decode_tokens,
            self.decode_first_us,
            self.decode_output_tokens,
            self.unseen_tokens,
            self.foreign_waiting,
            self.foreign_running,
            self.filled_tokens,
            self._slacks_s(now_s) if self.with_slack else (),
            self.recent_tokens,
            self.recent_at_s,
        )

    def _start(self, number: int, entry: Open, now_s: float) -> None:
        """Move *entry* from those without a first token to those with one."""
        entry.first_us = round(now_s * MICROS)
        entry.tokens = max(1, entry.tokens)
        self._leave_prefill(number, entry, now_s)
        self.decoding += 1
        self.decode_tokens += entry.load.prompt_tokens
        self.decode_first_us += entry.first_us
        self.decode_output_tokens += entry.load.output_tokens

    def _enter_prefill(self, number: int, entry: Open, now_s: float) -> None:
        load = entry.load
        left = decay(now_s - self.recent_at_s, RECENT_HALF_LIFE_S)
        self.recent_tokens = self.recent_tokens * left + load.uncached_tokens
        self.recent_at_s = now_s
        self.prefilling[number] = entry
        self.blind += not load.streams
        self.prefill_tokens += load.uncached_tokens
        self.prefill_pairs += load.pairs_twice
        self.with_slack += load.tpot_s is not None
        if len(self.prefilling) == 1:
            self._begin_batch(now_s)

    def _leave_prefill(self, number: int, entry: Open, now_s: float) -> None:
        del self.prefilling[number]
        self.blind -= not entry.load.streams
        self.prefill_tokens -= entry.load.uncached_tokens
        self.prefill_pairs -= entry.load.pairs_twice
        self._begin_batch(now_s)

    def _begin_batch(self, now_s: float) -> None:
        """Take what waits now for what the next step computes, up to its bound."""
        tokens = pairs = 0
        for entry in self.prefilling.values():
            if tokens and tokens + entry.load.uncached_tokens > BATCH_TOKENS:
                break
            tokens += entry.load.uncached_tokens
            pairs += entry.load.pairs_twice
        self.batch_tokens, self.batch_pairs = tokens, pairs
        self.batch_since_s = now_s if tokens else 0.0

    def _slacks_s(self, now_s: float) -> tuple[float, ...]:
        found: list[float] = []
        for entry in self.open.values():
            tpot_s = entry.load.tpot_s
            if tpot_s is None or entry.first_us is None:
                continue
            slack_s = entry.first_us / MICROS + entry.tokens * tpot_s - now_s
            if slack_s >= 0.0:
                found.append(slack_s)
        return tuple(sorted(found)[:SLACKS_MAX])
