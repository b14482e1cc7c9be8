"""Which generation opens exchanges now, and which older ones still have some open."""

from collections.abc import Callable, Iterator, Sequence

from headrace.dsl.program import Pool
from headrace.extensions.stage import Request
from headrace.host.extproc.opening import Exchange, NotYet, Opening
from headrace.host.generation import Generation
from headrace.host.serve.soak import Shadow


class Current:
    """The one reference that a reload swaps. Mutable; event loop's thread only.

    lacking  why nothing can be decided yet; empty from when it can
    vacated  called, outside of any exchange, when an older generation has none open any more
    """

    def __init__(self, first: Generation, vacated: Callable[[], None]) -> None:
        self.generation = first
        self.lacking = ""
        self.shadow: Shadow | None = None
        self._vacated = vacated
        self._older: list[Generation] = []

    @property
    def older(self) -> Sequence[Generation]:
        """The generations that were replaced and still have exchanges open, oldest first."""
        return tuple(self._older)

    def open(self, opening: Opening, now_s: float) -> Exchange:
        """Open an exchange on the generation that serves now: the factory of the wire.

        Raises:
            NotYet: nothing can be decided yet.
        """
        if self.lacking:
            raise NotYet(self.lacking)
        shadow = self.shadow
        if shadow is None:
            return self.generation.open(opening, now_s)
        return shadow.open(self.generation, opening, now_s)

    def wants_context(self, chain: str, listener: str = "") -> bool:
        """Return whether a stage of *chain*, of a listener with a role, reads context."""
        shadow = self.shadow
        return self.generation.wants_context(chain, listener) or (
            shadow is not None and shadow.generation.wants_context(chain, listener)
        )

    def succeed(self, generation: Generation) -> None:
        """Let *generation* open all exchanges from here on."""
        old, self.generation = self.generation, generation
        if old.tenants.count:
            old.tenants.vacated = self._vacated
            self._older.append(old)

    def retire(self) -> int:
        """Let go of the older generations without exchanges; return how many went."""
        before = len(self._older)
        self._older = [old for old in self._older if old.tenants.count]
        return before - len(self._older)

    def requests(self) -> Iterator[Request]:
        """Yield each request of an exchange that is open, as far as it has been decided on.

        Once, whatever roles it has passed.
        """
        for generation in (*self._older, self.generation):
            for exchange in generation.tenants.open:
                if not exchange.hands_on:
                    yield exchange.request

    def pools(self) -> dict[str, Pool]:
        """Return every pool that an open exchange may decide on; of one name, the newest."""
        pools: dict[str, Pool] = {}
        for generation in (*self._older, self.generation):
            pools |= generation.program.pools
        return pools

    def metrics(self) -> frozenset[str]:
        """Return every metric that the rules of an open exchange may ask for by name."""
        generations = (*self._older, self.generation)
        return frozenset[str]().union(*(generation.program.metrics for generation in generations))
