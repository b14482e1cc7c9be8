"""Which endpoint has probably cached which beginning of which prompt.

A prompt is cut into blocks of equal size, whose hashes are chained: equal hashes mean
equal prompts up to there. Per block, one integer has a bit for every endpoint that was
sent it. The index believes what we sent, not what a server keeps.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from xxhash import xxh3_64_intdigest

from headrace.extensions.call import Text

BLOCK_BYTES = 256  # about 64 tokens: four of vLLM's blocks of 16
BLOCKS_MAX = 4096  # 1 MiB of prompt, about 260,000 tokens; what follows is not looked at
BYTES_MAX = 64 * 1024 * 1024
ENTRY_BYTES = 224  # a dict slot, an order node, a 64-bit key and a one-word mask; see the tests
RETIRED_MAX = 64


def block_hashes(
    texts: Sequence[Text],
    model: str,
    adapter: str = "",
    *,
    block_bytes: int = BLOCK_BYTES,
    blocks_max: int = BLOCKS_MAX,
) -> list[int]:
    """Return the chained hash of every whole block of the prompt, first to last.

    Another model or adapter is another chain, as its KV cache is another. What is left
    after the last whole block is not hashed; a prompt below one block has no hashes.
    """
    prompt = "".join([f"{t.role}\x1f{t.text}\x1e" for t in texts])
    data = prompt[: block_bytes * blocks_max].encode("utf-8", "surrogatepass")
    chain = xxh3_64_intdigest(f"{model}\x1f{adapter}".encode("utf-8", "surrogatepass"))
    hashes: list[int] = []
    last = min(len(data) - block_bytes, block_bytes * (blocks_max - 1))
    for start in range(0, last + 1, block_bytes):
        chain = xxh3_64_intdigest(data[start : start + block_bytes], chain)
        hashes.append(chain)
    return hashes


@dataclass(slots=True)
class PrefixIndex:
    """Block hash -> the endpoints that have it. Written from the event loop's thread only.

    Bounded by *bytes_max*, least recently used blocks first, and of one prompt the tail
    before the head: a block is never kept without the ones before it.
    """

    bytes_max: int = BYTES_MAX
    _masks: "OrderedDict[int, int]" = field(default_factory=OrderedDict[int, int], repr=False)
    _bits: dict[str, int] = field(default_factory=dict[str, int], repr=False)  # address -> 1 << n
    _owners: dict[int, str] = field(default_factory=dict[int, str], repr=False)
    _free: list[int] = field(default_factory=list[int], repr=False)
    _retired: list[int] = field(default_factory=list[int], repr=False)
    _width: int = 0  # bits ever given out
    _live: int = 0  # the bits of known endpoints

    def __len__(self) -> int:
        """Return the number of blocks held."""
        return len(self._masks)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The endpoints that were ever sent something, and not forgotten."""
        return tuple(self._bits)

    @property
    def entries_max(self) -> int:
        """How many blocks fit the budget; fewer with many endpoints, whose masks are longer."""
        return max(1, self.bytes_max // (ENTRY_BYTES + self._width // 30 * 4))

    def match(self, hashes: Sequence[int]) -> dict[str, float]:
        """Return per endpoint which share of *hashes* it has, counted from the first without a gap.

        Endpoints that have not even the first are left out. Changes nothing.
        """
        if not hashes:
            return {}
        masks, total = self._masks, len(hashes)
        holders = masks.get(hashes[0], 0) & self._live
        ratios: dict[str, float] = {}
        for depth, block in enumerate(hashes):
            if not holders:
                return ratios
            still = masks.get(block, 0) & holders
            if still != holders:
                for address in self._addresses_of(holders & ~still):
                    ratios[address] = depth / total
                holders = still
        for address in self._addresses_of(holders):
            ratios[address] = 1.0
        return ratios

    def insert(self, address: str, hashes: Sequence[int]) -> None:
        """Note that the endpoint at *address* was sent the prompt of *hashes*."""
        masks, bit = self._masks, self._bit(address)
        hashes = hashes[: self.entries_max]
        for block in reversed(hashes):  # the head ends up youngest, so it is evicted last
            masks[block] = masks.get(block, 0) | bit
            masks.move_to_end(block)
        for _ in range(len(masks) - self.entries_max):
            masks.popitem(last=False)

    def withdraw(self, address: str, hashes: Sequence[int]) -> None:
        """Take back that the endpoint at *address* has these blocks: it was not sent them."""
        bit = self._bits.get(address, 0)
        for block in hashes:
            if self._masks.get(block, 0) & bit:
                self._masks[block] ^= bit

    def forget(self, address: str) -> None:
        """Forget all that the endpoint at *address* has; it need not be known.

        Only its bit is withdrawn; the masks are cleaned after `RETIRED_MAX` of these.
        """
        bit = self._bits.pop(address, 0)
        if not bit:
            return
        del self._owners[bit]
        self._live &= ~bit
        self._retired.append(bit)
        if len(self._retired) >= RETIRED_MAX:
            self._sweep()

    def _bit(self, address: str) -> int:
        bit = self._bits.get(address, 0)
        if not bit:
            if self._free:
                bit = self._free.pop()
            else:
                bit = 1 << self._width
                self._width += 1
            self._bits[address] = bit
            self._owners[bit] = address
            self._live |= bit
        return bit

    def _sweep(self) -> None:
        """Take the retired bits out of all masks, so that they can be given out again."""
        kept = ((block, mask & self._live) for block, mask in self._masks.items())
        self._masks = OrderedDict((block, mask) for block, mask in kept if mask)
        self._free.extend(self._retired)
        self._retired.clear()

    def _addresses_of(self, mask: int) -> Iterator[str]:
        while mask:
            lowest = mask & -mask
            yield self._owners[lowest]
            mask ^= lowest
