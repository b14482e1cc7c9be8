"""Which endpoint has probably cached which beginning of which prompt.

A prompt is cut into blocks of equal size, whose hashes are chained: equal hashes mean
equal prompts up to there. Per block, one integer has a bit for every endpoint that was
sent it. The index believes what we sent, bounded by what a server says it can hold, and
corrected by what it says it had; `kv` lets servers tell each block themselves.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field

from headrace.extensions.call import TOKEN_BYTES
from headrace.extensions.picker.holding import EXACT, STEP, Holding
from headrace.extensions.picker.observed import Observed, Tally, Ticket
from headrace.extensions.picker.prompt import BLOCK_BYTES, Prompt, Turn

BYTES_MAX = 64 * 1024 * 1024
# Of a block: a dict slot, twice since it is copied when it grows, a key and a mask; for each
# endpoint that has it a slot and an order node; of the end of a prompt its answer, and a stamp.
# Measured: the worst of all fill levels; see the tests.
ENTRY_BYTES, PAIR_BYTES, END_BYTES = 279, 188, 168
AT_ONCE = 256  # blocks taken from one endpoint before asking anew whose are the oldest
CLEARED_MAX = 256  # blocks of gone endpoints that one insertion clears up
EVICTED_MAX = 4096  # blocks that one disappointment takes along: what is left waits for the next
TOKENS_MIN, TOKENS_MAX = 0.05, 2.0  # per byte, that usage can make us believe in
ANSWER_TOKENS = 256.0  # of an answer, until usage tells better
LEARNT_BLOCK_MAX = 1024  # tokens; a server that says more is not taken at its word
LEARNT_RATIO = 1 / 16  # of what is learnt, how much the newest observation counts
ECHO_MIN_RATIO = 0.5  # with fewer answers repeated as they were given, none is counted on


@dataclass(slots=True)
class PrefixIndex:
    """Block hash -> the endpoints that have it. Written from the event loop's thread only.

    Bounded by *bytes_max* and, per endpoint, by what its server can hold: least recently used
    blocks first, and of one prompt the tail before the head, so that a block is never kept
    without the ones before it.

    block_bytes  how much of a prompt is one block
    tally        how good its predictions were
    """

    bytes_max: int = BYTES_MAX
    block_bytes: int = BLOCK_BYTES
    tally: Tally = field(default_factory=Tally)
    _masks: dict[int, int] = field(default_factory=dict[int, int], repr=False)
    _holdings: dict[str, Holding] = field(default_factory=dict[str, Holding], repr=False)
    _by_bit: dict[int, Holding] = field(default_factory=dict[int, Holding], repr=False)
    _capacities: dict[str, int] = field(default_factory=dict[str, int], repr=False)
    _dying: list[Holding] = field(default_factory=list[Holding], repr=False)
    _free: list[int] = field(default_factory=list[int], repr=False)
    _width: int = 0  # bits ever given out
    _live: int = 0  # the bits of known endpoints
    _pairs: int = 0  # blocks times the endpoints that have them
    _ends: int = 0  # of these, ends of prompts
    _stamp: int = 0
    _tokens_per_byte: float = 1 / TOKEN_BYTES
    _answer_tokens: float = ANSWER_TOKENS
    _echo_ratio: float = 1.0
    _counts: bool = False  # a server has said that it had something cached

    def __len__(self) -> int:
        """Return the number of blocks held."""
        return len(self._masks)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The endpoints that were ever sent something, and not forgotten."""
        return tuple(self._holdings)

    @property
    def bytes_used(self) -> int:
        """What it takes in memory."""
        entries = len(self._masks) * (ENTRY_BYTES + self._width // 30 * 4)
        return entries + self._pairs * PAIR_BYTES + self._ends * END_BYTES

    @property
    def tokens_per_block(self) -> float:
        """How many tokens a block has, as servers counted."""
        return self.block_bytes * self._tokens_per_byte

    def blocks_of(self, address: str) -> int:
        """Return how many blocks and ends of prompts the endpoint is believed to have."""
        holding = self._holdings.get(address)
        return 0 if holding is None else len(holding.blocks)

    def match(self, hashes: Sequence[int], turns: Sequence[Turn] = ()) -> dict[str, float]:
        """Return per endpoint which share of *hashes* it has, counted from the first without a gap.

        An endpoint that made the answer of one of *turns*, to the same prompt, has that too.
        Endpoints that have nothing of it are left out. Changes nothing.
        """
        if not hashes:
            return {}
        masks, total = self._masks, len(hashes)
        holders = masks.get(hashes[0], 0) & self._live
        ratios: dict[str, float] = {}
        for depth, block in enumerate(hashes):
            if not holders:
                break
            still = masks.get(block, 0) & holders
            if still != holders:
                for holding in self._holders_of(holders & ~still):
                    ratios[holding.address] = depth / total
                holders = still
        for holding in self._holders_of(holders):
            ratios[holding.address] = 1.0
        if turns and self._echo_ratio >= ECHO_MIN_RATIO:
            for turn in turns:
                for holding in self._holders_of(masks.get(turn.key, 0) & self._live):
                    had = ratios.get(holding.address, 0.0) * total
                    if turn.after <= had + 0.5 and had < turn.until <= total:
                        ratios[holding.address] = turn.until / total
        return ratios

    def insert(self, address: str, hashes: Sequence[int], prompt: Prompt | None = None) -> Ticket:
        """Note that the endpoint at *address* was sent the prompt of *hashes*.

        With *prompt* room is made for the answer too. The ticket is for `settle`.
        """
        holding = self._holding(address)
        plain = self._depth(holding, hashes)
        had = plain
        for turn in prompt.turns if prompt else ():
            if turn.key in holding.blocks and turn.after <= had < turn.until:
                had = turn.until
        supports = holding.blocks[hashes[plain - 1]] if plain else 0
        self._stamp += STEP
        answer = self._answer_tokens / self.tokens_per_block
        self._put(holding, hashes, self._stamp, (prompt.end, answer) if prompt else None)
        return Ticket(holding, had, plain, supports, self._stamp)

    def settle(self, ticket: Ticket, prompt: Prompt, observed: Observed) -> None:
        """Note that the answer to the *prompt* of *ticket* is complete, and what its server said.

        The server has the prompt and the answer now, whatever it had before.
        """
        holding = ticket.holding
        if self._holdings.get(holding.address) is not holding:
            return  # forgotten meanwhile, and so is the prompt
        self._learn(prompt, observed)
        if observed.cached_tokens is not None and observed.prompt_tokens and prompt.hashes:
            self._compare(ticket, prompt, observed.cached_tokens, observed.prompt_tokens)
        answer = observed.answer_tokens or 0
        rest = prompt.size % self.block_bytes / self.block_bytes
        end = (prompt.end, rest + answer / self.tokens_per_block)
        self._stamp += STEP
        self._put(holding, prompt.hashes, self._stamp + 1, end)
        if self._echo_ratio >= ECHO_MIN_RATIO:
            for turn in prompt.turns:  # what was an answer behind an end is blocks of its own now
                if turn.key in holding.answers:
                    self._drop(holding, turn.key)

    def withdraw(self, address: str, hashes: Sequence[int], stamp: int | None = None) -> None:
        """Take back that the endpoint at *address* has these blocks: it was not sent them.

        With *stamp* only those that nobody else has sent it since.
        """
        holding = self._holdings.get(address)
        if holding is None:
            return
        for key in hashes:
            known = holding.blocks.get(key, EXACT)
            if known == stamp or (stamp is None and known != EXACT):
                self._drop(holding, key)

    def forget(self, address: str) -> None:
        """Forget all that the endpoint at *address* has; it need not be known.

        Its bit counts for nothing from now on, and is cleared from the masks little by little.
        """
        holding = self._holdings.pop(address, None)
        self._capacities.pop(address, None)
        if holding is not None:
            del self._by_bit[holding.bit]
            self._live &= ~holding.bit
            self._dying.append(holding)

    def keep_only(self, addresses: Container[str]) -> None:
        """Forget every endpoint that is not among *addresses*."""
        for address in {*self._holdings, *self._capacities}:
            if address not in addresses:
                self.forget(address)

    def set_capacity(self, address: str, tokens: int | None) -> None:
        """Note how many tokens the server at *address* can hold; None: it does not say."""
        if tokens is None:
            self._capacities.pop(address, None)
        else:
            self._capacities[address] = tokens

    def learn_block(self, tokens: int) -> None:
        """Cut prompts into multiples of a server's block of *tokens*, where ours are smaller.

        What was known is forgotten then: it was cut otherwise.
        """
        if tokens * TOKEN_BYTES <= self.block_bytes or tokens > LEARNT_BLOCK_MAX:
            return
        for address in self.addresses:
            self.forget(address)
        self.block_bytes = tokens * TOKEN_BYTES

    def has(self, address: str, key: int) -> bool:
        """Return whether the endpoint is believed to have the block *key*."""
        holding = self._holdings.get(address)
        return holding is not None and key in holding.blocks

    def report(self, address: str, keys: Sequence[int], *, stored: bool) -> None:
        """Note that the server at *address* says itself that it has the blocks *keys*, or not."""
        holding = self._holding(address)
        for key in keys:
            if stored:
                self._mark(holding, key)
                holding.blocks[key] = EXACT
            elif key in holding.blocks:
                self._drop(holding, key)
        if stored:
            self._fit()

    def unreported(self, address: str) -> None:
        """Note that the server at *address* tells no more: what it told is a belief like others."""
        holding = self._holdings.get(address)
        if holding is not None:
            for key, stamp in holding.blocks.items():
                if stamp == EXACT:
                    holding.blocks[key] = self._stamp

    def _depth(self, holding: Holding, hashes: Sequence[int]) -> int:
        blocks, depth = holding.blocks, 0
        for key in hashes:
            if key not in blocks:
                break
            depth += 1
        return depth

    def _put(
        self, holding: Holding, hashes: Sequence[int], stamp: int, end: tuple[int, float] | None
    ) -> None:
        """Make the prompt the youngest of the holding, its head the very youngest."""
        masks, bit, blocks = self._masks, holding.bit, holding.blocks
        move = blocks.move_to_end
        before, ends = len(blocks), len(holding.answers)
        if end is not None:
            holding.answered(*end)
            hashes = (*hashes, end[0])
        for key in reversed(hashes):  # the head ends up youngest, so it is evicted last
            known = blocks.get(key)
            if known is None:
                masks[key] = masks.get(key, 0) | bit
                blocks[key] = stamp
            else:
                if known != EXACT:  # what the server reports itself stays reported
                    blocks[key] = stamp
                move(key)
        self._pairs += len(holding.blocks) - before
        self._ends += len(holding.answers) - ends
        tokens = self._capacities.get(holding.address) if self._capacities else None
        if tokens is None:
            holding.capacity = None
        else:
            holding.capacity = tokens / self.tokens_per_block
            self._make_room(holding)
        if self._dying or self.bytes_used > self.bytes_max:
            self._fit()

    def _make_room(self, holding: Holding) -> None:
        """Forget of the holding what its server has no room for."""
        room = holding.room
        while holding.used > room:
            oldest = holding.oldest()
            if oldest is None:
                break
            self._drop(holding, oldest)

    def _fit(self) -> None:
        """Clear up behind the gone, and come back under the budget."""
        if self._dying:
            self._clear(CLEARED_MAX)
        while self.bytes_used > self.bytes_max:
            if self._dying:
                self._clear(CLEARED_MAX)
                continue
            # The endpoint whose oldest block is the oldest of all; some at once, as asking costs.
            victims = [h for h in self._holdings.values() if h.blocks]
            victim = min(victims, key=lambda h: next(iter(h.blocks.values())))
            for _ in range(min(AT_ONCE, len(victim.blocks))):
                self._drop(victim, next(iter(victim.blocks)))
                if self.bytes_used <= self.bytes_max:
                    break

    def _compare(self, ticket: Ticket, prompt: Prompt, cached: int, tokens: int) -> None:
        """Count how good the prediction was, and learn from it."""
        per_block = tokens / max(1.0, prompt.size / self.block_bytes)
        plain = ticket.plain * per_block
        trusted = self._echo_ratio >= ECHO_MIN_RATIO
        predicted = min(tokens, round(ticket.had * per_block if trusted else plain))
        self.tally.prompt += tokens
        self.tally.predicted += predicted
        self.tally.observed += min(cached, tokens)
        self._counts = self._counts or cached > 0
        if not self._counts:
            return  # perhaps it does not count: a server that never had anything tells nothing
        if ticket.had > ticket.plain and cached >= plain - per_block:
            echoed = cached >= (ticket.had * per_block + plain) / 2
            self._echo_ratio += LEARNT_RATIO * (echoed - self._echo_ratio)
        if cached >= plain - 2 * per_block:
            ticket.holding.fulfilled()
        elif ticket.supports & 1:
            self._disappoint(ticket)

    def _disappoint(self, ticket: Ticket) -> None:
        """Forget what is older than a block that was gone: the server evicted that before.

        Only what was there to stay counts: the answer that brought the block was complete.
        """
        holding = ticket.holding
        for _ in range(EVICTED_MAX):
            oldest = holding.oldest()
            if oldest is None or holding.blocks[oldest] >= ticket.supports:
                break
            self._drop(holding, oldest)
        holding.disappointed()

    def _learn(self, prompt: Prompt, observed: Observed) -> None:
        """Learn how long tokens and answers are."""
        if observed.prompt_tokens and prompt.size >= self.block_bytes:
            ratio = min(TOKENS_MAX, max(TOKENS_MIN, observed.prompt_tokens / prompt.size))
            self._tokens_per_byte += LEARNT_RATIO * (ratio - self._tokens_per_byte)
        if observed.answer_tokens:
            self._answer_tokens += LEARNT_RATIO * (observed.answer_tokens - self._answer_tokens)

    def _holding(self, address: str) -> Holding:
        holding = self._holdings.get(address)
        if holding is None:
            if self._free:
                bit = self._free.pop()
            else:
                bit = 1 << self._width
                self._width += 1
            holding = self._holdings[address] = self._by_bit[bit] = Holding(address, bit)
            self._live |= bit
        return holding

    def _mark(self, holding: Holding, key: int) -> None:
        """Note that the holding has *key*, if it does not know yet."""
        if key not in holding.blocks:
            self._masks[key] = self._masks.get(key, 0) | holding.bit
            holding.blocks[key] = self._stamp
            self._pairs += 1

    def _drop(self, holding: Holding, key: int) -> None:
        self._ends -= key in holding.answers
        self._pairs -= 1
        holding.drop(key)
        left = self._masks[key] & ~holding.bit
        if left:
            self._masks[key] = left
        else:
            del self._masks[key]

    def _clear(self, count: int) -> None:
        """Clear up to *count* blocks of the holding that was forgotten last."""
        holding = self._dying[-1]
        for _ in range(min(count, len(holding.blocks))):
            key, _stamp = holding.blocks.popitem()
            holding.blocks[key] = 0
            self._drop(holding, key)
        if not holding.blocks:
            self._dying.pop()
            self._free.append(holding.bit)

    def _holders_of(self, mask: int) -> Iterator[Holding]:
        while mask:
            lowest = mask & -mask
            yield self._by_bit[lowest]
            mask ^= lowest
