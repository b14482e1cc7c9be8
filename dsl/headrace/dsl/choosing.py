"""How an endpoint is chosen: profiles and what they are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from headrace.dsl.compiled import Cost, EndpointFilter, Scorer
from headrace.dsl.source import Span
from headrace.dsl.values import Scalar


@dataclass(frozen=True, slots=True)
class Term:
    """A scorer and its weight, > 0.

    In a product the weight is a power, > 0; in tiers, how much worse than the best still
    counts as equal, 0..1.
    """

    weight: float
    scorer: Scorer


@dataclass(frozen=True, slots=True)
class CostTerm:
    """A cost and its weight, > 0."""

    weight: float
    cost: Cost


class Combine(Enum):
    """How the scorers of a profile make one total: `score`, `multiply`, `rank by`."""

    SUM = "sum"
    PRODUCT = "product"
    TIERS = "tiers"


class Pick(Enum):
    """How the winner is taken from the endpoints.

    LEAST is of costs, MAX of scores; BEST, of some drawn by chance the best, is of either.
    RANDOM looks at neither.
    """

    MAX = "max"
    LEAST = "least"
    WEIGHTED = "weighted"
    RANDOM = "random"
    RANDOM_TOP = "random of top"
    BEST = "best of random"


@dataclass(frozen=True, slots=True)
class Beside:
    """Another endpoint of the pool, picked beside the first one: `also pick ROLE by profile P`.

    role  of ``prefill encode``
    when  asked of the endpoint that was picked; None: always
    """

    role: str
    profile: str
    when: EndpointFilter | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Do not send the request to the endpoint that was picked if *when* holds there."""

    when: EndpointFilter
    status: int = 412
    message: str = "refused by the policy"


@dataclass(frozen=True, slots=True)
class Plugin:
    """A part written in Python that a profile uses, with its settings in base units."""

    name: str
    settings: Mapping[str, Scalar]
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class Profile:
    """How to choose an endpoint.

    require    filters that must hold
    prefer     filters that are skipped, each in turn, if they leave nothing
    terms      the scorers whose combination is looked at, by default their weighted sum
    costs      the weighted sum of costs that LEAST looks at; empty if there are terms
    pick_top   of WEIGHTED and RANDOM_TOP: among how many best; of BEST: of how many
    ties       lower is better; None: go on to the hash of request id and endpoint
    otherwise  the profile to ask if `require` leaves nothing
    """

    name: str
    span: Span = field(repr=False)
    require: tuple[EndpointFilter, ...] = ()
    prefer: tuple[EndpointFilter, ...] = ()
    terms: tuple[Term, ...] = ()
    pick: Pick = Pick.MAX
    pick_top: int = 1
    ties: Scorer | None = None
    otherwise: str | None = None
    costs: tuple[CostTerm, ...] = ()
    plugins: tuple[Plugin, ...] = ()
    combine: Combine = Combine.SUM
    beside: tuple[Beside, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def how(self) -> str:
        """How it picks, as it is written."""
        top = self.pick_top
        named = {
            Pick.WEIGHTED: f"weighted of top {top}",
            Pick.RANDOM_TOP: f"random of top {top}",
            Pick.BEST: f"best of {top} random",
        }
        return named.get(self.pick, str(self.pick.value))
