"""The blocks of a policy as written: every statement with its place, nothing resolved.

In `spans` a block keeps where each of its statements stands, by the name of its grammar
rule, and for some by what it says, too: ``route``, ``on match``, ``inspect response``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace.dsl.source import Span
from headrace.dsl.syntax.choosing import BesideSaid, Names, Picked, RefuseSaid, Weighted
from headrace.dsl.syntax.guard_said import AskSaid as AskSaid
from headrace.dsl.syntax.guard_said import BreakerSaid as BreakerSaid
from headrace.dsl.syntax.guard_said import CacheSaid as CacheSaid
from headrace.dsl.syntax.guard_said import GuardGiven as GuardGiven
from headrace.dsl.syntax.guard_said import TemplateSaid as TemplateSaid
from headrace.dsl.syntax.guard_said import WindowSaid as WindowSaid
from headrace.dsl.syntax.places_said import EndpointSaid as EndpointSaid
from headrace.dsl.syntax.places_said import LatencySaid as LatencySaid
from headrace.dsl.syntax.places_said import Target as Target
from headrace.dsl.syntax.pressure import QueueRule as QueueRule
from headrace.dsl.syntax.pressure import ShedRule as ShedRule
from headrace.dsl.syntax.tree import Number, Word, Written

Spans = Mapping[str, Span]


def no_spans() -> Spans:
    """Return the places of a block that says nothing."""
    return {}


@dataclass(frozen=True, slots=True)
class ImportBlock:
    """`import "PATH"`."""

    path: Word
    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)


@dataclass(frozen=True, slots=True)
class PoolBlock:
    """`pool NAME [extends NAME] { ... }`. *labels* and *inference_pool* as name and value."""

    name: Word
    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)
    parent: Word | None = None
    endpoints: tuple[Word, ...] = ()
    members: tuple[EndpointSaid, ...] = ()
    inference_pool: Word | None = None
    namespace: Word | None = None
    labels: tuple[tuple[Word, Word], ...] = ()
    port: Number | None = None
    metrics: Word | None = None
    gpu: Word | None = None
    gpu_port: Number | None = None
    stale: Number | None = None
    dead: Number | None = None
    adapters: Number | None = None
    profile: Word | None = None
    speed: "tuple[Said, ...]" = ()
    wait: Number | None = None
    wait_length: Number | None = None
    prefix_blocks: Number | None = None
    prefix_memory: Number | None = None
    kv_ports: tuple[Number, ...] = ()
    ranks_port: Number | None = None


@dataclass(frozen=True, slots=True)
class ModelBlock:
    """`model NAME [as ALIAS], NAME [extends NAME] { ... }`. *aliases*: by the name's place.

    passthrough  paths whose bodies are not read; *unscreened*: not by guards either
    """

    names: tuple[Word, ...]
    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)
    aliases: tuple[Word | None, ...] = ()
    parent: Word | None = None
    priority: Number | None = None
    objective: Word | None = None
    latency: LatencySaid | None = None
    route: tuple[Target, ...] = ()
    mirrors: tuple[Target, ...] = ()
    adapter_of: Word | None = None
    profile: Word | None = None
    passthrough: tuple[Word, ...] = ()
    unscreened: bool = False


@dataclass(frozen=True, slots=True)
class ObjectiveBlock:
    """`objective NAME { priority N }`."""

    name: Word
    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)
    priority: Number | None = None


@dataclass(frozen=True, slots=True)
class ClassBlock:
    """`class NAME when EXPR { ... }`."""

    name: Word
    when: Written
    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)
    priority: Number | None = None
    profile: Word | None = None
    fairness: Written | None = None
    also: bool = False
    session: Written | None = None


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type as written: a word and what is in its angle brackets."""

    word: Word
    items: "tuple[TypeName, ...]" = ()


@dataclass(frozen=True, slots=True)
class RuleBlock:
    """`filter NAME = EXPR`, `scorer`, `cost`, `let NAME: TYPE = EXPR`; *kind* is that word."""

    kind: str
    name: Word
    value: Written
    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)
    type: TypeName | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One `NAME VALUE` of a stage or a plugin; *kind* is one of `SettingKind`'s words."""

    name: Word
    kind: str
    value: int | float | str
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class PluginSaid:
    """`use plugin NAME { ... }`."""

    name: Word
    settings: tuple[Said, ...]
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProfileBlock:
    """`profile NAME [extends NAME] { ... }`; see `choosing` for what a weight is of what."""

    name: Word
    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)
    parent: Word | None = None
    require: Names | None = None
    prefer: Names | None = None
    score: tuple[Weighted, ...] = ()
    multiply: tuple[Weighted, ...] = ()
    tiers: tuple[Weighted, ...] = ()
    minimize: tuple[Weighted, ...] = ()
    pick: Picked | None = None
    otherwise: Word | None = None
    beside: tuple[BesideSaid, ...] = ()
    refusals: tuple[RefuseSaid, ...] = ()
    plugins: tuple[PluginSaid, ...] = ()


@dataclass(frozen=True, slots=True)
class OverloadBlock:
    """`overload [for POOL, POOL] when EXPR { ... }`."""

    pools: tuple[Word, ...]
    when: Written
    sheds: tuple[ShedRule, ...]
    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)
    queue: QueueRule | None = None
    evict: Written | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """`allow`, `log`, `redact`, `mask` or `block [with STATUS "message"]`."""

    what: str
    span: Span = field(repr=False)
    status: Number | None = None
    message: Word | None = None


@dataclass(frozen=True, slots=True)
class GuardBlock:
    """`guard NAME [when EXPR] { ... }`; *patterns* are verbatim, a backslash is RE2's.

    on  of ``match error timeout partial unreadable`` -> what is then done
    """

    name: Word
    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)
    when: Written | None = None
    patterns: tuple[Word, ...] = ()
    detect: tuple[Word, ...] = ()
    deny: tuple[Word, ...] = ()
    templates: tuple[TemplateSaid, ...] = ()
    response_templates: tuple[TemplateSaid, ...] = ()
    ask: AskSaid | None = None
    inspect: tuple[Word, ...] = ()
    scope: Word | None = None
    timeout: Number | None = None
    window: WindowSaid | None = None
    stream: Word | None = None
    at_once: Number | None = None
    cache: CacheSaid | None = None
    breaker: BreakerSaid | None = None
    on: Mapping[str, Action] = field(default_factory=dict[str, Action])

    @property
    def asks(self) -> bool:
        """Whether it asks a provider."""
        return bool(self.templates or self.response_templates or self.ask)


@dataclass(frozen=True, slots=True)
class SafetyBlock:
    """`safety { ... }`. *order* is ``parallel`` or ``order``; *only* is `inspect only`."""

    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)
    order: Word | None = None
    block: Written | None = None
    only: bool = False


@dataclass(frozen=True, slots=True)
class TraceBlock:
    """`trace { ... }`."""

    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)
    sample: Number | None = None
    always: tuple[Written, ...] = ()
    attributes: tuple[tuple[Word, Written], ...] = ()


@dataclass(frozen=True, slots=True)
class TrustedNames:
    """`NAME NAME from EXPR` inside `trust { ... }`."""

    names: tuple[Word, ...]
    when: Written


@dataclass(frozen=True, slots=True)
class TrustBlock:
    """`trust { ... }`."""

    entries: tuple[TrustedNames, ...]
    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)


@dataclass(frozen=True, slots=True)
class StageBlock:
    """`stage NAME from "PACKAGE:ATTRIBUTE" { SETTING VALUE ... }`."""

    name: Word
    origin: Word
    settings: tuple[Said, ...]
    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)


@dataclass(frozen=True, slots=True)
class ChainBlock:
    """`chain NAME { STAGE STAGE }`."""

    name: Word
    stages: tuple[Word, ...]
    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)


@dataclass(frozen=True, slots=True)
class PoolGiven:
    """`given pool NAME { endpoint NAME EXPR ... }`."""

    pool: Word
    endpoints: tuple[tuple[Word, Written], ...]
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """`when request EXPR` and the `expect`s up to the next one; *request* is None before any."""

    request: Written | None
    expects: tuple[Written, ...]
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class Table:
    """`table NAME, NAME | EXPR, EXPR | EXPR, EXPR`: the cases of a test, once for each row."""

    columns: tuple[Word, ...]
    rows: tuple[tuple[Written, ...], ...]
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class TestBlock:
    """`test "NAME" { ... }`. *request* is what `given request` says of all its requests.

    answer  the text of the model's answer
    """

    __test__ = False  # for pytest: this is no test of ours

    name: Word
    span: Span = field(repr=False)
    spans: Spans = field(default_factory=no_spans, repr=False)
    pools: tuple[PoolGiven, ...] = ()
    guards: tuple[GuardGiven, ...] = ()
    answer: Word | None = None
    request: Written | None = None
    table: Table | None = None
    cases: tuple[Asked, ...] = ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A block with a syntax error: what it would have defined, so that no one misses it."""

    keyword: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Override:
    """`override BLOCK`: what the block says replaces what the block of that name says."""

    block: "Block"
    word: Span = field(repr=False)


Block = (
    ImportBlock
    | PoolBlock
    | ModelBlock
    | ObjectiveBlock
    | ClassBlock
    | RuleBlock
    | ProfileBlock
    | OverloadBlock
    | GuardBlock
    | SafetyBlock
    | TraceBlock
    | TrustBlock
    | StageBlock
    | ChainBlock
    | TestBlock
)
Declaration = Block | Override | Unreadable
KEYWORDS: Mapping[type[Block], str] = {
    ImportBlock: "import",
    PoolBlock: "pool",
    ModelBlock: "model",
    ObjectiveBlock: "objective",
    ClassBlock: "class",
    ProfileBlock: "profile",
    OverloadBlock: "overload",
    GuardBlock: "guard",
    SafetyBlock: "safety",
    TraceBlock: "trace",
    TrustBlock: "trust",
    StageBlock: "stage",
    ChainBlock: "chain",
    TestBlock: "test",
}


def keyword(block: Block) -> str:
    """Return the word that opens *block*."""
    return block.kind if isinstance(block, RuleBlock) else KEYWORDS[type(block)]
