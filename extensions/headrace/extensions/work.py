"""What a request asks of the server that it is sent to: its prompt, and the answer expected."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

NO_MATCH: Mapping[str, float] = {}


class Load(Struct, frozen=True):
    """What one request asks of the server it is sent to. A value of which nothing is known is 0.

    prompt_tokens    of its prompt
    uncached_tokens  of these, the ones that the server has to compute
    output_tokens    expected back; 0: not followed by a cost model
    streams          its first token will be seen when it comes
    tpot_s           the time per token that it asks for; None if it does not
    adapter          the LoRA adapter it needs, or empty
    received_tokens  further ones that another server computes and sends there
    comes_s          how long that is expected to take
    """

    prompt_tokens: int = 0
    uncached_tokens: int = 0
    output_tokens: int = 0
    streams: bool = False
    tpot_s: float | None = None
    adapter: str = ""
    received_tokens: int = 0
    comes_s: float = 0.0

    @property
    def kept_tokens(self) -> int:
        """The tokens that are new in the server's cache, wherever they are computed."""
        return self.uncached_tokens + self.received_tokens

    def received(self, comes_s: float) -> "Load":
        """Return this load where another server computes the prompt, for *comes_s* seconds.

        Its last token is computed where the answer is: what comes after it is the answer.
        """
        own = min(1, self.uncached_tokens)
        sent = self.uncached_tokens - own
        return replace(self, uncached_tokens=own, received_tokens=sent, comes_s=comes_s)

    @property
    def pairs_twice(self) -> int:
        """Twice the token pairs of its attention: new * (2 * cached + new)."""
        return self.uncached_tokens * (2 * self.prompt_tokens - self.uncached_tokens)


NO_LOAD = Load()


class Work(Struct, frozen=True):
    """What one request asks, before it is known of which endpoint.

    max_tokens  the most that the caller wants back; 0 if it did not say
    prefix      endpoint address -> share of the prompt cached there; absent means 0
    """

    prompt_tokens: int = 0
    max_tokens: int = 0
    streams: bool = False
    tpot_s: float | None = None
    adapter: str = ""
    prefix: Mapping[str, float] = NO_MATCH

    def uncached_at(self, address: str) -> int:
        """Return how many tokens the endpoint at *address* has to compute, at least one.

        The last token is always computed: what comes after it is the answer. Without a
        prompt there is none.
        """
        share = self.prefix.get(address)
        if not share:
            return self.prompt_tokens
        tokens = self.prompt_tokens
        new = tokens - int(tokens * share)
        if new > 0:
            return new
        return 1 if tokens else 0

    def at(self, address: str, output_mean: float) -> Load:
        """Return what it asks of the endpoint at *address*; *output_mean*: tokens of an answer."""
        expected = int(output_mean)
        return Load(
            self.prompt_tokens,
            self.uncached_at(address),
            max(1, min(expected, self.max_tokens) if self.max_tokens else expected),
            self.streams,
            self.tpot_s,
            self.adapter,
        )


NO_WORK = Work()
