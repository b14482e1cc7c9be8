"""What a policy compiles to: immutable values and compiled rules, ready to decide by.

Everything here is checked: names resolve, types and units fit, shares add up. The
stages read it; nothing at run time parses, looks up or interprets policy text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace.dsl.cases import Given, GivenEndpoint, GivenGuard, GivenPool, TestCase
from headrace.dsl.choosing import Beside, Combine, CostTerm, Pick, Plugin, Profile, Refusal, Term
from headrace.dsl.compiled import After, Cost, EndpointFilter, Number, Rule, Scorer, Text, When
from headrace.dsl.guarding import (
    NO_SAFETY_RULE,
    AnswerRule,
    Guard,
    OnMatch,
    OnTrouble,
    Provision,
    SafetyRule,
    Scope,
    Streamed,
    VerdictRule,
    Window,
)
from headrace.dsl.serving import (
    InferencePoolRef,
    KvEvents,
    Latency,
    Mirror,
    Model,
    Objective,
    Pool,
    Selector,
    Share,
    Speed,
)
from headrace.dsl.source import Span
from headrace.dsl.values import (
    Afterwards,
    BoolColumn,
    Condition,
    DecisionValues,
    EndpointValues,
    HintValues,
    ModelValues,
    NumberOf,
    PoolValues,
    RatioColumn,
    RequestValues,
    ResponseValues,
    RuleFault,
    Scalar,
    SpreadValues,
    TextOf,
    Values,
)

__all__ = [
    "DEFAULT_CHAIN", "After", "Afterwards", "AnswerRule", "Attribute", "Beside", "BoolColumn",
    "Chain", "Class", "Combine", "Condition", "Cost", "CostTerm", "DecisionValues",
    "EndpointFilter", "EndpointValues", "Given", "GivenEndpoint", "GivenGuard", "GivenPool",
    "Guard", "HintValues", "InferencePoolRef", "KvEvents", "Latency", "Mirror", "Model",
    "ModelValues", "Number", "NumberOf", "Objective", "OnMatch", "OnTrouble", "Overload", "Pick",
    "Plugin", "Pool", "PoolValues", "Profile", "Program", "Provision", "Queue", "RatioColumn",
    "Refusal", "RequestValues", "ResponseValues", "Rule", "RuleFault", "SafetyRule", "Scalar",
    "Scope", "Scorer", "Selector", "Share", "Shed", "Speed", "SpreadValues", "StageUse", "Streamed",
    "Term", "TestCase", "Text", "TextOf", "TraceRules", "Trust", "Use", "Values", "VerdictRule",
    "When", "Window",
]  # fmt: skip


# ---- what happens to requests beside the picking


@dataclass(frozen=True, slots=True)
class Class:
    """A kind of request. The first that matches wins; after an `also` class matching goes on.

    fairness, session  the key by which queues are fair to these, and their conversation
    """

    name: str
    when: When
    priority: int | None = None
    profile: str | None = None
    also: bool = False
    fairness: Text | None = None
    session: Text | None = None


@dataclass(frozen=True, slots=True)
class Shed:
    """Turn a request away if *when* holds while the pool is overloaded.

    retry_after_s  None: by how fast the queue moves, or a second where nobody waits
    chance         0..1, of being turned away; None is certain, and so is one that fails
    """

    when: When
    status: int = 429
    message: str = "overloaded, try again later"
    retry_after_s: float | None = None
    chance: Number | None = None


QUEUE_BYTES_MAX = 256_000_000  # where a queue does not say


@dataclass(frozen=True, slots=True)
class Queue:
    """Let a request wait while the pool is overloaded.

    by          higher is served first; a fault counts as the lowest
    fair        requests of different keys take turns among those of equal rank; without one,
                the class says the key, else it is the request's fairness id
    wait_s_max  who waits longer is turned away
    length_max  of this queue, and *bytes_max* of the bodies in it
    strict      no turn is given to a lower rank while a higher one waits
    in_tokens   turns count by the prompt tokens that no cache has, not by requests
    soonest     of one key the soonest deadline goes first, not who came first
    """

    by: Number
    wait_s_max: float
    length_max: int = 1000
    fair: tuple[Text, ...] = ()
    bytes_max: int = QUEUE_BYTES_MAX
    strict: bool = False
    in_tokens: bool = False
    soonest: bool = False


@dataclass(frozen=True, slots=True)
class Overload:
    """When a pool counts as overloaded, and what then happens. *pools* is empty for all pools.

    evict  whose running requests may be ended for more urgent ones
    """

    when: When
    pools: tuple[str, ...] = ()
    sheds: tuple[Shed, ...] = ()
    queue: Queue | None = None
    evict: When | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """A value to put on the span of every traced exchange, as `headrace.attribute.NAME`."""

    name: str
    value: After


@dataclass(frozen=True, slots=True)
class TraceRules:
    """Which exchanges are traced, and what beside the usual goes onto their spans.

    sample_ratio  0..1; None where the policy leaves it to the command line
    always        an exchange that the sample leaves out is kept if one is true; a fault is false
    """

    sample_ratio: float | None = None
    always: tuple[After, ...] = ()
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class Trust:
    """Control headers that are believed when *when* holds; all others are stripped.

    names  of ``objective fairness_id model_rewrite slo ttl session endpoint``
    """

    names: frozenset[str]
    when: When


@dataclass(frozen=True, slots=True)
class StageUse:
    """A stage from an installed package: `stage NAME from "PACKAGE:ATTRIBUTE" { ... }`.

    settings    checked against what the stage declares, in base units
    timeout_s   of one hook; None for the stage's own
    on_failure  of ``closed open fallback``; None for the stage's own
    """

    name: str
    package: str
    attribute: str
    span: Span = field(repr=False)
    settings: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    timeout_s: float | None = None
    on_failure: str | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """The stages of one role, in order."""

    name: str
    stages: tuple[str, ...]
    span: Span | None = field(default=None, repr=False)


DEFAULT_CHAIN = Chain("default", ("body_router", "safety", "picker", "observability"))


# ---- the whole


@dataclass(frozen=True, slots=True)
class Use:
    """That a policy uses a part of the language: ``model.mirror``, ``trace.sample``, and where."""

    what: str
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class Program:
    """A whole policy.

    digest  the SHA-256 of its sources, in hex
    files   the names of all sources, imported ones included, in the order they were read
    rules   every compiled expression, in the order of the policy
    uses    every statement it has, for `headrace.dsl.unperformed`
    metrics  the names that rules ask for by `endpoint.metric`
    """

    digest: str
    pools: Mapping[str, Pool] = field(default_factory=dict[str, Pool])
    models: Mapping[str, Model] = field(default_factory=dict[str, Model])
    classes: tuple[Class, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict[str, Profile])
    overloads: tuple[Overload, ...] = ()
    guards: tuple[Guard, ...] = ()
    trusts: tuple[Trust, ...] = ()
    chains: Mapping[str, Chain] = field(default_factory=dict[str, Chain])
    objectives: Mapping[str, Objective] = field(default_factory=dict[str, Objective])
    trace: TraceRules = field(default_factory=TraceRules)
    stages: Mapping[str, StageUse] = field(default_factory=dict[str, StageUse])
    tests: tuple[TestCase, ...] = ()
    files: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    uses: tuple[Use, ...] = ()
    metrics: tuple[str, ...] = ()
    safety: SafetyRule = NO_SAFETY_RULE

    def chain(self, name: str) -> Chain | None:
        """Return the chain *name*; `default` exists in every program."""
        if name in self.chains:
            return self.chains[name]
        return DEFAULT_CHAIN if name == DEFAULT_CHAIN.name else None

    @property
    def picks_alone(self) -> bool:
        """Whether no request needs a model: no chain routes by one, and there is one pool."""
        chains = {DEFAULT_CHAIN.name: DEFAULT_CHAIN, **self.chains}
        routed = any("body_router" in chain.stages for chain in chains.values())
        return len(self.pools) == 1 and not routed
