"""What the servers of one pool report of their caches, brought into its prefix index.

The index keeps its one answer: which beginning of a prompt is cached where. What a server
reports replaces what was believed of it, block by block, as far as it can be matched with
prompts that we sent; the rest stays believed.
"""

from collections import deque
from collections.abc import Container
from dataclasses import dataclass, field

from headrace.extensions.picker.kv.chains import Chains
from headrace.extensions.picker.kv.events import Batch, Cleared
from headrace.extensions.picker.kv.matching import Answered, claim, find, stored_nothing
from headrace.extensions.picker.prefix import PrefixIndex

BLOCKS_MAX = 1 << 20  # of a pool's servers that are followed, some 250 bytes each
WAITING_MAX = 256  # requests of one server whose last events have not come yet
WAIT_S = 2.0  # how long these may take


@dataclass(slots=True)
class Tally:
    """How it went with the requests whose prompts were to be matched, growing.

    matched    their chains were found; *ambiguous*: several fitted, and the oldest was taken
    unmatched  none was found: their prompts stay believed, not known
    """

    matched: int = 0
    ambiguous: int = 0
    unmatched: int = 0


@dataclass(slots=True)
class _Server:
    chains: Chains
    waiting: deque[Answered] = field(default_factory=deque[Answered])


@dataclass(slots=True)
class KvBook:
    """The reports of one pool's servers. Written from the event loop's thread only."""

    index: PrefixIndex
    servers_max: int = 1
    tally: Tally = field(default_factory=Tally)
    _servers: dict[str, _Server] = field(default_factory=dict[str, _Server])

    def __len__(self) -> int:
        """Return how many blocks are followed."""
        return sum(len(server.chains) for server in self._servers.values())

    def apply(self, address: str, batch: Batch, now_s: float) -> None:
        """Take over what the server at *address* reported at *now_s*."""
        server = self._servers.get(address)
        if server is None:
            share = max(4096, BLOCKS_MAX // max(1, self.servers_max))
            server = self._servers[address] = _Server(Chains(share))
        for event in batch.events:
            gone = server.chains.apply(event, now_s)
            if isinstance(event, Cleared):
                self.index.forget(address)
                server.waiting.clear()
            elif gone:
                self.index.report(address, gone, stored=False)
        left: deque[Answered] = deque()
        for request in server.waiting:  # what had grown before now was not of its shape
            if not self._settled(address, server, request, now_s):
                left.append(request)
        server.waiting = left
        self._give_up(server, now_s)

    def ended(self, address: str, request: Answered, now_s: float) -> None:
        """Match a request that was served at *address*, now or when its last events have come."""
        server = self._servers.get(address)
        if server is None:
            return  # it has reported nothing yet
        if not self._settled(address, server, request, request.picked_s):
            server.waiting.append(request)
        self._give_up(server, now_s)

    def lost(self, address: str) -> None:
        """Note that reports of the server at *address* are missing: what it told is a belief."""
        server = self._servers.pop(address, None)
        if server is not None:
            self.index.unreported(address)

    def keep_only(self, addresses: Container[str]) -> None:
        """Follow none but the servers at *addresses* any more."""
        for address in [a for a in self._servers if a not in addresses]:
            self.lost(address)

    def restarted(self, address: str) -> None:
        """Note that the server at *address* began anew, with an empty cache."""
        if self._servers.pop(address, None) is not None:
            self.index.forget(address)

    def _settled(self, address: str, server: _Server, request: Answered, since_s: float) -> bool:
        """Match *request* with what has grown since, and say whether that is done with."""
        if stored_nothing(server.chains, request):
            return True
        found = find(server.chains, request, since_s)
        if found is None:
            return False
        self.tally.matched += 1
        self.tally.ambiguous += found.ambiguous
        there = claim(server.chains, found.run, request, self.index.block_bytes)
        self.index.report(address, [k for k, v in there.items() if v], stored=True)
        self.index.report(address, [k for k, v in there.items() if not v], stored=False)
        return True

    def _give_up(self, server: _Server, now_s: float) -> None:
        """Wait no longer for the events of those that ended long ago, or are too many."""
        waiting = server.waiting
        while waiting and (len(waiting) > WAITING_MAX or now_s - waiting[0].ended_s >= WAIT_S):
            waiting.popleft()
            self.tally.unmatched += 1
