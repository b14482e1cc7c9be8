"""What a cluster says of requests, beside the policy: priorities, rewrites, adapters' bases.

The host writes it, from Kubernetes; stages read it with each request. What the policy
states goes first: see `body_router`.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from headrace.dsl.serving import InferencePoolRef


@dataclass(frozen=True, slots=True)
class Targets:
    """Whom requests ask for instead of the model they named.

    source  the resource that says so, and the number of its rule: the salt of the draw
    bounds  where each target's part of [0, 1) ends; a target without a part is never taken
    """

    source: str
    names: tuple[str, ...]
    bounds: tuple[float, ...]

    @classmethod
    def of(cls, source: str, names: tuple[str, ...], weights: tuple[int, ...]) -> "Targets":
        """Return the targets *names*, each as often as its weight says; without any, equally."""
        sums = list(accumulate(weights or (1,) * len(names)))
        return cls(source, names, tuple(each / sums[-1] for each in sums))

    def name(self, bucket: float) -> str:
        """Return the target whose part of [0, 1) holds *bucket*."""
        return self.names[min(bisect_right(self.bounds, bucket), len(self.names) - 1)]


@dataclass(frozen=True, slots=True)
class Notes:
    """What is said of one pool.

    priorities  objective -> its priority
    of_models   model -> the objective that names it
    exact       model -> whom to ask for instead; *every* for all others
    """

    priorities: Mapping[str, int] = field(default_factory=dict[str, int])
    of_models: Mapping[str, str] = field(default_factory=dict[str, str])
    exact: Mapping[str, Targets] = field(default_factory=dict[str, Targets])
    every: Targets | None = None

    def targets(self, model: str) -> Targets | None:
        """Return whom a request for *model* asks for instead; None: nobody says so."""
        return self.exact.get(model, self.every)


NO_NOTES = Notes()


@dataclass(slots=True)
class Directory:
    """The notes on every pool. Mutable; event loop's thread only.

    notes  replaced as a whole, so that a decision never sees half of a change
    bases  adapter -> the base model that it is of; replaced as a whole, too
    """

    notes: Mapping[InferencePoolRef, Notes] = field(
        default_factory=dict[InferencePoolRef, Notes], repr=False
    )
    bases: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def of(self, pool: InferencePoolRef | None) -> Notes:
        """Return what is said of *pool*; None is a pool that no cluster knows."""
        return NO_NOTES if pool is None else self.notes.get(pool, NO_NOTES)
