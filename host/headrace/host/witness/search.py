"""Search where two policies decide differently: at the boundaries of their rules."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from headrace.dsl.cases import Given
from headrace.dsl.diff.boundaries import Boundaries, boundaries
from headrace.dsl.program import Program
from headrace.extensions.registry import Builder
from headrace.host.witness.candidate import Candidate, Values
from headrace.host.witness.judge import Decided, Judge

TRIES_MAX = 100_000
SIMPLER_MAX = 400  # how often a witness is tried to be made simpler
_COUNTS = ("queue", "running", "in_flight", "adapter_slots")
_GRID = (0.0, 0.25, 0.5, 0.75, 1.0)
_WHOLE = (0, 1, 2, 5, 20)
_ASKED = ("prompt_tokens", "max_tokens", "size")


@dataclass(frozen=True, slots=True)
class Witness:
    """What two policies decide differently, and how."""

    candidate: Candidate
    old: Decided
    new: Decided

    @property
    def differing(self) -> tuple[str, ...]:
        """The names of `decision.*` that differ."""
        return tuple(name for name in self.old if self.old[name] != self.new[name])


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search has found, and how far it has looked.

    tries   requests that both have decided
    values  how many boundary values there are
    whole   whether it ended by itself and not by its budget
    """

    witness: Witness | None
    tries: int
    values: int
    whole: bool


def search(
    old: Program,
    new: Program,
    installed: Mapping[str, Builder],
    goes_on: Callable[[int], bool],
    tries_max: int = TRIES_MAX,
) -> Searched:
    """Return the first request found that *old* and *new* decide differently, made simple.

    goes_on  takes the number of tries so far; the search ends when it returns False
    """
    judges = Judge(old, installed), Judge(new, installed)
    known = boundaries((old, new))
    shared = [name for name in old.pools if name in new.pools]
    tries = 0
    for candidate in _candidates(known, shared, (old, new)):
        if tries >= tries_max or not goes_on(tries):
            return Searched(None, tries, known.size, tries >= tries_max)
        tries += 1
        found = _differ(judges, candidate)
        if found is not None:
            return Searched(_simplest(judges, found), tries, known.size, True)
    return Searched(None, tries, known.size, True)


def _differ(judges: tuple[Judge, Judge], candidate: Candidate) -> Witness | None:
    old, new = (judge.decide(candidate) for judge in judges)
    if old is None or new is None or old == new:
        return None
    return Witness(candidate, old, new)


def _simplest(judges: tuple[Judge, Judge], found: Witness) -> Witness:
    """Return *found* without all that it does not need."""
    left, goes_on = SIMPLER_MAX, True
    while goes_on and left > 0:
        goes_on = False
        for candidate in found.candidate.simpler():
            left -= 1
            needed = {found.old["pool"], found.new["pool"]} - candidate.pools.keys() - {""}
            simpler = None if needed & found.candidate.pools.keys() else _differ(judges, candidate)
            if simpler is not None and simpler.differing == found.differing:
                found, goes_on = simpler, True
                break
            if left <= 0:
                break
    return found


def _candidates(
    known: Boundaries, pools: Sequence[str], programs: tuple[Program, Program]
) -> Iterator[Candidate]:
    """Yield every model in an idle world, then mixtures of boundary values without end."""
    idle: dict[str, tuple[Values, ...]] = {pool: ({}, {}) for pool in pools}
    for model in known.models:
        yield Candidate({"model": model}, idle)
    for prompt in known.prompts:
        yield Candidate({"model": known.models[0], "prompt": prompt}, idle)
    adapters = tuple(m.name for p in programs for m in p.models.values() if m.adapter)
    read = frozenset[str]().union(*(rule.reads for p in programs for rule in p.rules))
    awaited = adapters if "endpoint.adapters_waiting" in read else ()
    mixer = _Mixer(known, Random(0), adapters, awaited)  # noqa: S311 - the same search each time
    while True:
        request = mixer.request()
        alike, number = mixer.chance.random() < 0.3, mixer.chance.choice((2, 2, 2, 3, 1))
        states: dict[str, tuple[Values, ...]] = {}
        for pool in pools:
            one = mixer.endpoint()
            many = tuple(one if alike else mixer.endpoint() for _ in range(number))
            states[pool] = many
        yield Candidate(request, states)


@dataclass(frozen=True, slots=True)
class _Mixer:
    """Mixes values. Draws from *chance*."""

    known: Boundaries
    chance: Random
    adapters: tuple[str, ...]
    awaited: tuple[str, ...] = ()

    def request(self) -> dict[str, Given]:
        """Return a request, most of whose values are left out."""
        chance, known = self.chance, self.known
        found: dict[str, Given] = {"model": chance.choice(known.models)}
        headers = {n: chance.choice(v) for n, v in known.headers.items() if v and self._may()}
        if headers:
            found["headers"] = headers
        for name in _ASKED:
            values = known.numbers.get(f"request.{name}", ())
            if values and self._may():
                found[name] = int(chance.choice(values))
        if known.prompts and "prompt_tokens" not in found and self._may():
            found["prompt"] = chance.choice(known.prompts)
        if self._may():
            found["stream"] = True
        if self._may():
            found["id"] = f"r-{chance.randrange(1000)}"
        for name in ("path", "id"):
            texts = [t for t in known.texts.get(f"request.{name}", ()) if t]
            if texts and self._may():
                found[name] = chance.choice(texts)
        return found

    def endpoint(self) -> dict[str, Given]:
        """Return the state of an endpoint, some of whose values are left out."""
        chance = self.chance
        found: dict[str, Given] = {}
        for name in _COUNTS:
            if self._may():
                found[name] = int(self._number(name, _WHOLE))
        for name in ("kv_cache", "prefix_match"):
            if self._may():
                found[name] = float(self._number(name, _GRID))
        for name in ("age", "gpu"):
            values = self.known.numbers.get(f"endpoint.{name}")
            if values and self._may():
                found[name] = float(chance.choice(values))
        if chance.random() < 0.1:
            found["ready"] = False
        zones = self.known.texts.get("endpoint.zone")
        if zones and self._may():
            found["zone"] = chance.choice(zones)
        loaded = (*self.adapters, *self.known.texts.get("endpoint.adapters", ()))
        if loaded and self._may():
            found["adapters"] = (chance.choice(loaded),)
        if self.awaited and self._may():
            found["adapters_waiting"] = (chance.choice(self.awaited),)
        return found

    def _may(self) -> bool:
        return self.chance.random() < 0.5

    def _number(self, name: str, grid: Sequence[float]) -> float:
        values = self.known.numbers.get(f"endpoint.{name}")
        return self.chance.choice(values if values and self.chance.random() < 0.7 else grid)
