"""How long a prompt would take at an endpoint, and what it would do to the answers there.

Sources: the step time is the linear model of a continuous-batching server with chunked
prefill, plus a term for attention over pairs of tokens; what waits is taken in order, as
vLLM V1 does. docs/explain/cost-model.md says it in words.
"""

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec import field as struct_field
from msgspec.structs import replace

from headrace.dsl.serving import DEFAULT_SPEED, Speed
from headrace.extensions.picker.cost.ledger import RECENT_HALF_LIFE_S
from headrace.extensions.picker.cost.load import MICROS
from headrace.extensions.picker.feedback import (
    NO_FEEDBACK,
    NO_MEANS,
    SPEED_MAX,
    Feedback,
    Means,
    decay,
)
from headrace.extensions.work import Load, Work

if TYPE_CHECKING:
    from headrace.extensions.picker.snapshot import Endpoint
PREFILL_SHARE_MAX = 0.9  # a server that is flooded writes on, if slowly
LN2 = math.log(2)


class Stand(Struct, frozen=True, gc=False):
    """What an endpoint is doing at one instant, in the terms of the step time.

    base_s      a step without a prompt in it
    decodes     answers being written there
    context     tokens of these, prompts included
    scale       seconds there for each second of the coefficients
    """

    base_s: float
    decodes: int
    context: float
    scale: float


NOWHERE = Stand(0.0, 0, 0.0, 1.0)


class Latest:
    """What was last worked out of an endpoint, for the next term of the same decision.

    Written by `Outlook.stand` only. It holds for the very same model, endpoint and instant, so
    that it saves work and says nothing; that is why any two are equal.
    """

    __slots__ = ("endpoint", "now_s", "outlook", "stand")

    def __init__(self) -> None:
        self.endpoint: Endpoint | None = None
        self.outlook: Outlook | None = None
        self.now_s = 0.0
        self.stand = NOWHERE

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Latest)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "Latest()"


class Outlook(Struct, frozen=True):
    """The cost model of one endpoint: the pool's coefficients and what is learnt.

    Every method takes the endpoint it belongs to. No result is negative or NaN.
    """

    speeds: Speed = DEFAULT_SPEED
    feedback: Feedback = NO_FEEDBACK
    means: Means = NO_MEANS
    _latest: Latest = struct_field(default_factory=Latest)

    # ---- what it takes

    def predicted_ttft(self, e: "Endpoint", work: Work, now_s: float) -> float:
        """Return the seconds until the first token would come."""
        new = work.uncached_at(e.address)
        return self._first_token_s(e, new, new * (2 * work.prompt_tokens - new), now_s)

    def first_token_s(self, e: "Endpoint", load: Load, now_s: float) -> float:
        """Return the seconds until the first token of *load* would come, counted from now."""
        return self._first_token_s(e, load.uncached_tokens, load.pairs_twice, now_s)

    def decode_delay(self, e: "Endpoint", work: Work, now_s: float) -> float:
        """Return the seconds that the prompt would add to the answers there, added up."""
        stand = self.stand(e, now_s)
        if not stand.decodes:
            return 0.0
        return self._prefill_s(e, work) * stand.scale * stand.decodes

    def itl(self, e: "Endpoint", work: Work, now_s: float) -> float:
        """Return the seconds from token to token there, with this request added.

        A step, made longer by the share of time that goes to prompts if they keep coming.
        """
        stand, s = self.stand(e, now_s), self.speeds
        more_s = s.request_s + s.context_s * work.prompt_tokens / 1000
        step_s = (stand.base_s + more_s) * stand.scale
        if not e.carried.recent_tokens:
            return step_s
        return step_s / (1.0 - self._prefill_share(e, stand, now_s))

    def slo_slack(self, e: "Endpoint", work: Work, now_s: float) -> float:
        """Return the seconds by which answers there would fall behind because of it, added up.

        Behind their own time per token, that is; one that is behind already does not count.
        """
        slacks_s = e.carried.slacks_s
        if not slacks_s:
            return 0.0
        delay_s = self._prefill_s(e, work) * self.scale(now_s)
        return sum([delay_s - slack_s for slack_s in slacks_s[: bisect_left(slacks_s, delay_s)]])

    def eviction_cost(self, e: "Endpoint", work: Work, now_s: float) -> float:
        """Return the seconds of computing again what the prompt would push out of the cache."""
        size = kv_tokens(e)
        if size is None:
            return 0.0
        load = self.load(e, work)
        needed = load.uncached_tokens + load.output_tokens
        empty = max(0, size - e.carried.filled_tokens)
        evicted = min(max(0, needed - empty), size)
        return evicted * self.means.match_ratio * self.speeds.prefill_s * self.scale(now_s)

    # ---- what is there

    def uncached_tokens(self, e: "Endpoint", work: Work, now_s: float) -> int:
        """Return how many tokens of the prompt are not cached there."""
        return work.uncached_at(e.address)

    def kv_free_tokens(self, e: "Endpoint", work: Work, now_s: float) -> int | None:
        """Return the free room of the KV cache, less what is on its way; None if not reported."""
        size = kv_tokens(e)
        if size is None:
            return None
        return max(0, int(size * (1.0 - e.kv_cache)) - e.carried.unseen_tokens)

    def decode_context_tokens(self, e: "Endpoint", work: Work, now_s: float) -> int:
        """Return the tokens of our answers being written there, their prompts included."""
        return int(self._context(e, now_s, self.scale(now_s)))

    def speed(self, e: "Endpoint", work: Work, now_s: float) -> float:
        """Return how fast it is against the pool's coefficients: 1 as said, 2 twice as fast."""
        return min(SPEED_MAX**2, max(SPEED_MAX**-2, 1.0 / self.scale(now_s)))

    def error_rate(self, e: "Endpoint", work: Work, now_s: float) -> float:
        """Return the share of its recent answers that failed, 0..1."""
        return self.feedback.error_rate(now_s)

    def ttft(self, e: "Endpoint", work: Work, now_s: float) -> float | None:
        """Return what first tokens have recently taken there; None if none was seen for long."""
        return self.feedback.ttft(now_s)

    # ---- the model

    def load(self, e: "Endpoint", work: Work) -> Load:
        """Return what *work* asks of this endpoint."""
        return work.at(e.address, self.means.output_tokens)

    def scale(self, now_s: float) -> float:
        """Return the seconds it takes for what the coefficients say takes one."""
        feedback = self.feedback
        if not feedback.log_speed:
            return math.exp(-self.means.log_speed)
        return math.exp(-self.means.log_speed - feedback.speed_log(now_s))

    def stand(self, e: "Endpoint", now_s: float) -> Stand:
        """Return what the endpoint is doing."""
        latest = self._latest
        if latest.endpoint is e and latest.now_s == now_s and latest.outlook is self:
            return latest.stand
        s, decodes, foreign = self.speeds, e.decoding, e.carried.foreign_running
        scale = self.scale(now_s)
        context = self._context(e, now_s, scale) if decodes else 0.0
        if foreign:
            decodes += foreign
            context += foreign * (self.means.uncached_tokens + self.means.output_tokens / 2)
        base_s = s.step_s + s.request_s * decodes + s.context_s * context / 1000
        latest.stand = found = Stand(base_s, decodes, context, scale)
        latest.endpoint, latest.outlook, latest.now_s = e, self, now_s
        return found

    def _context(self, e: "Endpoint", now_s: float, scale: float) -> float:
        """Return the tokens of our answers there: prompts, and what was written since."""
        c, s, decodes = e.carried, self.speeds, e.decoding
        if not decodes:
            return 0.0
        since_s = decodes * now_s - c.decode_first_us / MICROS
        if since_s <= 0.0:
            return c.decode_tokens
        step_s = s.step_s + s.request_s * decodes + s.context_s * c.decode_tokens / 1000
        written, most = since_s / (step_s * scale), c.decode_output_tokens
        return c.decode_tokens + (written if written < most else most)

    def _prefill_s(self, e: "Endpoint", work: Work) -> float:
        """Return the seconds that the prompt adds to the steps there, by the coefficients."""
        s, new = self.speeds, work.uncached_at(e.address)
        return s.prefill_s * new + s.pair_s * new * (work.prompt_tokens - new / 2)

    def _prefill_share(self, e: "Endpoint", stand: Stand, now_s: float) -> float:
        """Return the share of its time that the endpoint has lately spent on prompts."""
        left = decay(now_s - e.carried.recent_at_s, RECENT_HALF_LIFE_S)
        tokens_per_s = e.carried.recent_tokens * left * LN2 / RECENT_HALF_LIFE_S
        share = tokens_per_s * self.speeds.prefill_s * stand.scale
        return share if share < PREFILL_SHARE_MAX else PREFILL_SHARE_MAX

    def _first_token_s(self, e: "Endpoint", new: int, pairs_twice: int, now_s: float) -> float:
        """Return the seconds until the first token of a prompt with *new* tokens would come.

        Computing takes as many steps as the tokens need, each of which goes on writing answers.
        It is asked of every endpoint in every decision, so that it is one function, and ``max``
        is spelt out, here and in what it calls.
        """
        stand, s, c = self.stand(e, now_s), self.speeds, e.carried
        base_s, decodes, scale = stand.base_s, stand.decodes, stand.scale
        tokens: float = c.prefill_tokens + new
        pairs = (c.prefill_pairs + pairs_twice) / 2
        foreign = c.foreign_waiting
        if foreign:
            mean = self.means.uncached_tokens
            tokens += foreign * mean
            pairs += foreign * (mean * mean / 2)
        room = s.batch_tokens - decodes if s.batch_tokens > decodes else 1
        wait_s = base_s / 2 if decodes else 0.0
        batch = c.batch_tokens
        if batch:
            since_s = now_s - c.batch_since_s - s.arrival_s
            if since_s > 0.0:  # a step with prompts is under way
                steps = 1 if batch <= room else math.ceil(batch / room)
                begun = c.batch_pairs / 2
                whole_s = steps * base_s + s.prefill_s * batch + s.pair_s * begun
                wait_s = whole_s - since_s / scale
                tokens -= batch
                pairs -= begun
        wait_s *= scale
        if wait_s < s.arrival_s:
            wait_s = s.arrival_s
        if decodes:
            wait_s += self._room_s(e, new, stand)
        steps = 1 if tokens <= room else math.ceil(tokens / room)
        took_s = wait_s + (steps * base_s + s.prefill_s * tokens + s.pair_s * pairs) * scale
        return took_s if took_s > 0.0 else 0.0

    def _room_s(self, e: "Endpoint", new: int, stand: Stand) -> float:
        """Return the wait for a slot and for blocks, which answers give back as they end."""
        c, decodes = e.carried, stand.decodes
        ends: float = decodes + c.prefills + c.foreign_waiting + 1 - self.speeds.slots
        tokens, blocks, missing = e.block_size, e.num_blocks, 0.0
        if tokens is not None and blocks is not None:
            size = tokens * blocks
            missing = new + c.unseen_tokens - size * (1.0 - e.kv_cache)
            if missing > size:
                missing = size
        if ends <= 0 and missing <= 0.0:
            return 0.0
        ends = max(ends, missing / max(1.0, stand.context / decodes))
        output = max(1.0, self.means.output_tokens)
        return ends * output * stand.base_s * stand.scale / decodes

    def learning(self, feedback: Feedback, means: Means) -> "Outlook":
        """Return the same model with what was learnt since."""
        return replace(self, feedback=feedback, means=means)


def kv_tokens(e: "Endpoint") -> int | None:
    """Return how many tokens its KV cache holds; None if it does not say."""
    if e.block_size is None or e.num_blocks is None:
        return None
    return e.block_size * e.num_blocks


NO_OUTLOOK = Outlook()
