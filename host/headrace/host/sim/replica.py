"""One vLLM V1 replica as a pure machine: continuous batching over a bounded KV cache.

Time comes as an argument, in simulated seconds. Source: vLLM V1, core/sched/scheduler.py.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass

from headrace.host.sim.blocks import BLOCK_TOKENS, BlockPool, blocks_for
from headrace.host.sim.request import (
    Batch,
    Chunk,
    Finished,
    FinishReason,
    Progress,
    SimRequest,
    Step,
)
from headrace.host.sim.step_time import Load, Profile
from headrace.host.sim.tally import Metrics, Tally


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of a batch, named after vLLM's flags; *block_count* None: as the profile says.

    *tells*: the KV cache keeps what it changes, for events.
    """

    max_num_batched_tokens: int = 8192
    max_num_seqs: int = 256
    max_loras: int = 4
    block_count: int | None = None
    tells: bool = False


class Replica:
    """Runs requests in steps; a function of what was submitted and when.

    `start` decides what a step computes, `finish` says what it yielded; between the two the
    metrics show the step under way. Written by its owner, from one thread.
    """

    __slots__ = (
        "_by_number",
        "_deferred",
        "_limits",
        "_loaded",
        "_pool",
        "_profile",
        "_running",
        "_tally",
        "_waiting",
    )

    def __init__(self, profile: Profile, limits: Limits | None = None) -> None:
        self._profile = profile
        self._limits = limits or Limits()
        capacity = self._limits.block_count or profile.kv_tokens // BLOCK_TOKENS
        self._pool = BlockPool(capacity, tells=self._limits.tells)
        self._waiting: deque[Progress] = deque()
        self._running: list[Progress] = []
        self._by_number: dict[int, Progress] = {}
        self._loaded: OrderedDict[str, None] = OrderedDict()
        self._deferred = 0
        self._tally = Tally()

    @property
    def pool(self) -> BlockPool:
        """The KV cache, to look at."""
        return self._pool

    @property
    def waiting_count(self) -> int:
        """The requests that wait for their first step, or again after a preemption."""
        return len(self._waiting)

    @property
    def context_tokens_max(self) -> int:
        """The longest prompt and output together that `submit` takes."""
        return min(self._profile.context_tokens_max, self._pool.capacity * BLOCK_TOKENS)

    def submit(self, request: SimRequest, now_s: float) -> None:
        """Let *request* wait for a step; it must fit in `context_tokens_max`."""
        assert request.prompt_tokens + request.output_tokens <= self.context_tokens_max
        assert request.number not in self._by_number
        assert request.adapter is None or self._limits.max_loras > 0
        ready_s = now_s + self._profile.ingest_ms / 1000
        progress = Progress(request, now_s, ready_s, request.prompt_tokens)
        self._by_number[request.number] = progress
        self._waiting.append(progress)

    def abort(self, number: int, now_s: float) -> bool:
        """End request *number* and free its blocks; return whether it was still here."""
        progress = self._by_number.pop(number, None)
        if progress is None:
            return False
        progress.gone = True
        (self._waiting if progress in self._waiting else self._running).remove(progress)
        self._pool.release(progress.blocks)
        self._tally.end(progress, FinishReason.ABORT, now_s)
        return True

    def unload(self, adapter: str) -> None:
        """Free the GPU slot of *adapter*; requests that use it already run to their end."""
        self._loaded.pop(adapter, None)

    def start_s(self, now_s: float) -> float | None:
        """Return when the next step can start, not before *now_s*; None if there is no work."""
        if self._running:
            return now_s
        return max(now_s, self._waiting[0].ready_s) if self._waiting else None

    def start(self, now_s: float) -> Batch | None:
        """Schedule a step at *now_s*: the running first, then the waiting; None if no work."""
        chunks: list[Chunk] = []
        preempted: list[int] = []
        budget = self._continue_running(chunks, preempted)
        loads = 0
        if not preempted:
            loads = self._admit(chunks, budget, now_s)
        if not chunks:
            return None
        duration_s = self._profile.step_s(_load(chunks, loads))
        return Batch(now_s, duration_s, tuple(chunks), tuple(preempted))

    def finish(self, batch: Batch) -> Step:
        """Apply the results of *batch*: cached blocks, tokens, requests that ended."""
        now_s = batch.started_s + batch.duration_s
        emitted: list[int] = []
        finished: list[Finished] = []
        for progress, tokens in batch.chunks:
            if progress.gone:
                continue
            self._advance(progress, tokens)
            if progress.computed < progress.length:
                continue
            request = progress.request
            if request.output_tokens:
                progress.emitted += 1
                progress.length += 1
                emitted.append(request.number)
                self._tally.token(progress, now_s)
            if progress.emitted == request.output_tokens:
                finished.append(self._end(progress, now_s))
        if finished:
            self._running = [progress for progress in self._running if not progress.gone]
        return Step(batch.duration_s, tuple(emitted), tuple(finished), batch.preempted)

    def step(self, now_s: float) -> Step | None:
        """Start and finish one step; None if there is nothing to do at *now_s*."""
        batch = self.start(now_s)
        return self.finish(batch) if batch else None

    def metrics(self) -> Metrics:
        """Return what a scrape sees."""
        tally = self._tally
        return Metrics(
            running=len(self._running),
            waiting=len(self._waiting),
            deferred=min(self._deferred, len(self._waiting)),
            kv_used_ratio=self._pool.used_ratio,
            block_tokens=BLOCK_TOKENS,
            block_count=self._pool.capacity,
            prefix_queried_tokens=tally.prefix_queried_tokens,
            prefix_hit_tokens=tally.prefix_hit_tokens,
            preemptions=tally.preemptions,
            prompt_tokens=tally.prompt_tokens,
            output_tokens=tally.output_tokens,
            finished=dict(tally.finished),
            running_adapters=_adapters(self._running),
            waiting_adapters=_adapters(self._waiting),
            adapters_max=self._limits.max_loras,
            latencies=tally.latencies(),
        )

    def _continue_running(self, chunks: list[Chunk], preempted: list[int]) -> int:
        """Give each running request its next tokens, in order; return what is left to give."""
        budget = self._limits.max_num_batched_tokens
        index = 0
        while index < len(self._running) and budget:
            progress = self._running[index]
            tokens = min(progress.length - progress.computed, budget)
            if not self._grow(progress, tokens, preempted):
                break
            chunks.append((progress, tokens))
            budget -= tokens
            index += 1
        return budget

    def _grow(self, progress: Progress, tokens: int, preempted: list[int]) -> bool:
        """Get blocks for *tokens* more, preempting from the end; False if that hit *progress*."""
        fresh = blocks_for(progress.computed + tokens) - len(progress.blocks)
        if fresh <= 0:
            return True
        while self._pool.free_count < fresh:
            victim = self._running.pop()
            self._preempt(victim)
            preempted.append(victim.request.number)
            if victim is progress:
                return False
        progress.blocks += self._pool.allocate(fresh)
        return True

    def _preempt(self, progress: Progress) -> None:
        """Put *progress* back to the head of the queue, to be computed again from the start."""
        self._pool.release(progress.blocks)
        progress.blocks.clear()
        progress.computed = 0
        self._tally.preemptions += 1
        self._waiting.appendleft(progress)

    def _admit(self, chunks: list[Chunk], budget: int, now_s: float) -> int:
        """Admit from the queue while budget, slots and blocks last; return the adapters loaded."""
        self._deferred = 0
        if not self._waiting:
            return 0
        adapters = set(_adapters(self._running))
        skipped: list[Progress] = []
        loads = 0
        while self._waiting and budget and len(self._running) < self._limits.max_num_seqs:
            progress = self._waiting[0]
            if progress.ready_s > now_s:
                break
            adapter = progress.request.adapter
            if adapter and adapter not in adapters and len(adapters) >= self._limits.max_loras:
                skipped.append(self._waiting.popleft())
                continue
            tokens = self._place(progress, budget, now_s)
            if not tokens:
                break
            self._running.append(self._waiting.popleft())
            chunks.append((progress, tokens))
            budget -= tokens
            if adapter:
                adapters.add(adapter)
                loads += self._load_adapter(adapter, adapters)
        self._waiting.extendleft(reversed(skipped))
        self._deferred = len(skipped)
        return loads

    def _place(self, progress: Progress, budget: int, now_s: float) -> int:
        """Look up the cached prefix and allocate a first chunk; return its tokens, 0: no room."""
        request = progress.request
        # The last token is always computed: its logits are the answer.
        matched = self._pool.match(request.hashes, (progress.length - 1) // BLOCK_TOKENS)
        computed = len(matched) * BLOCK_TOKENS
        tokens = min(progress.length - computed, budget)
        fresh = blocks_for(computed + tokens) - len(matched)
        if not self._pool.has_room(matched, fresh):
            return 0
        self._pool.refer(matched)
        progress.blocks = matched + self._pool.allocate(fresh)
        progress.computed = computed
        if progress.started_s is None:
            progress.started_s = now_s
            progress.cached_tokens = computed
            self._tally.prefix_queried_tokens += progress.length
            self._tally.prefix_hit_tokens += computed
        return tokens

    def _load_adapter(self, adapter: str, in_use: set[str]) -> int:
        """Make sure *adapter* has a GPU slot; return 1 if it had to be loaded, else 0."""
        if adapter in self._loaded:
            self._loaded.move_to_end(adapter)
            return 0
        if len(self._loaded) >= self._limits.max_loras:
            del self._loaded[next(name for name in self._loaded if name not in in_use)]
        self._loaded[adapter] = None
        return 1

    def _advance(self, progress: Progress, tokens: int) -> None:
        """Count *tokens* as computed and publish the blocks that are now full."""
        first = progress.computed // BLOCK_TOKENS
        progress.computed += tokens
        full = progress.computed // BLOCK_TOKENS
        if full == first:
            return
        hashes = progress.request.hashes
        for index in range(first, min(full, len(hashes))):
            parent = hashes[index - 1] if index else None
            self._pool.publish(progress.blocks[index], hashes[index], parent)

    def _end(self, progress: Progress, now_s: float) -> Finished:
        """Release what *progress* holds; the caller takes it out of the running."""
        request = progress.request
        progress.gone = True
        self._pool.release(progress.blocks)
        del self._by_number[request.number]
        self._tally.end(progress, request.finish, now_s)
        return Finished(request.number, request.finish, progress.cached_tokens or 0)


def _adapters(many: Iterable[Progress]) -> tuple[str, ...]:
    """Return the distinct adapters of *many*, in order of first use."""
    return tuple(dict.fromkeys(p.request.adapter for p in many if p.request.adapter))


def _load(chunks: Iterable[Chunk], adapter_loads: int) -> Load:
    """Return what the step with *chunks* computes."""
    decodes = context = prefill = 0
    pairs = 0.0
    adapters: set[str] = set()
    for progress, tokens in chunks:
        if tokens == 1 and progress.emitted:
            decodes += 1
            context += progress.length
        else:
            prefill += tokens
            pairs += tokens * (progress.computed + tokens / 2)
        if progress.request.adapter:
            adapters.add(progress.request.adapter)
    return Load(decodes, context, prefill, pairs, len(adapters), adapter_loads)
