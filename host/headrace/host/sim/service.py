"""What the handlers of one model server share: the replica, its driver, names, prose."""

import asyncio
from dataclasses import dataclass, field
from itertools import count

from headrace.host.sim.api_error import ApiError, unknown_model
from headrace.host.sim.driver import Driver, Stream
from headrace.host.sim.exposition import AdapterSeries
from headrace.host.sim.options import ModelServerOptions
from headrace.host.sim.prose import Prose
from headrace.host.sim.replica import Replica
from headrace.host.sim.request import FinishReason, SimRequest
from headrace.host.sim.tokens import block_hashes, fingerprint

ADAPTERS_MAX = 128
# An answer without a limit of the client's ends by itself after this many tokens.
NATURAL_TOKENS = range(32, 257)


@dataclass(frozen=True, slots=True)
class Generation:
    """An answer under way: its number, all its tokens, and the stream that says how many left."""

    number: int
    pieces: list[str] = field(repr=False)
    stream: Stream


class Service:
    """One model server without its HTTP. Used from one event loop."""

    def __init__(self, options: ModelServerOptions) -> None:
        self.options = options
        self.replica = Replica(options.coefficients(), options.limits())
        self.driver = Driver(self.replica, options.time_scale, options.tick_s)
        self.adapters: dict[str, str] = dict.fromkeys(options.adapters, "")
        self.adapter_series: AdapterSeries = AdapterSeries()
        self._prose = Prose()
        self._numbers = count()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """Start the driver and return its task, which ends only by failure or cancellation."""
        self._task = asyncio.create_task(self.driver.run())
        return self._task

    def generate(
        self, model: str, prompt: list[str], max_tokens: int | None, streamed: bool
    ) -> Generation:
        """Submit *prompt* and return the answer under way.

        Raises:
            ApiError: 404 for an unknown model, 400 for a prompt that is empty or does not fit
                with its answer, 503 when too many wait or the driver has ended.
        """
        adapter = self._adapter(model)
        seed = fingerprint(prompt)
        room = self._check(prompt, max_tokens or 1)
        natural = NATURAL_TOKENS[seed % len(NATURAL_TOKENS)]
        tokens = min(natural, room) if max_tokens is None else max_tokens
        finish = FinishReason.LENGTH if max_tokens or tokens == room else FinishReason.STOP
        answer = self._prose.continue_from(seed, tokens)
        hashes = block_hashes([*prompt, *answer], adapter or "")
        number = next(self._numbers)
        request = SimRequest(number, len(prompt), tokens, hashes, adapter, finish)
        return Generation(number, answer, self.driver.submit(request, streamed))

    def embed(self, model: str, prompt: list[str]) -> Generation:
        """Submit *prompt* for its embedding; raises as `generate` does."""
        adapter = self._adapter(model)
        self._check(prompt, 0)
        number = next(self._numbers)
        hashes = block_hashes(prompt, adapter or "")
        request = SimRequest(number, len(prompt), 0, hashes, adapter, FinishReason.STOP)
        return Generation(number, [], self.driver.submit(request, streamed=False))

    def _adapter(self, model: str) -> str | None:
        """Return the adapter that *model* names, None for the base model."""
        if model in self.options.models:
            return None
        if model in self.adapters:
            return model
        raise unknown_model(model)

    def _check(self, prompt: list[str], output_tokens: int) -> int:
        """Return how many tokens the answer to *prompt* may have."""
        context = self.replica.context_tokens_max
        if not prompt:
            raise ApiError(400, "the prompt is empty; send at least one token")
        if len(prompt) + output_tokens > context:
            asked = f"{len(prompt)} in the prompt and {output_tokens} in the answer"
            message = f"the context holds {context} tokens, not {asked}; shorten one of them"
            raise ApiError(400, message)
        if self._task is None or self._task.done():
            message = "the server does not run; restart it"
            raise ApiError(503, message, "ServiceUnavailableError")
        if self.replica.waiting_count >= self.options.waiting_max:
            message = f"{self.options.waiting_max} requests wait already; try again later"
            raise ApiError(503, message, "ServiceUnavailableError")
        return context - len(prompt)
