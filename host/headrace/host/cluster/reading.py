"""Reads the kinds that matter: pods, InferencePools, objectives, rewrites. Pure.

What an API server lets through may still be wrong, as definitions can be older, or missing.
What is wrong is a `Flaw`, a value like the others: it is told, and the rest goes on.
"""

import ipaddress
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from headrace.extensions.call import is_name
from headrace.host.cluster.objects import MESSAGE_CHARS_MAX, Object
from headrace.host.cluster.resource import POOL_GROUP

ZONE = "topology.kubernetes.io/zone"
ROLE = "llm-d.ai/role"
MODELS = "headrace.dev/models"
LABELS_MAX = 64
PORTS_MAX = 8
MODELS_MAX = 64
RULES_MAX = 128
TARGETS_MAX = 64
WEIGHT_MAX = 1_000_000
PORT_MAX = 65_535
PRIORITY_MAX = 2**31 - 1
S = TypeVar("S", bound=Struct)
CORE_POOL = (POOL_GROUP, "InferencePool")


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why an object is ignored. *reason* is of a closed list: a metric's label."""

    name: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, as far as it can be an endpoint. *ip* is empty, or one that Envoy can dial."""

    name: str
    uid: str
    created: str
    ip: str
    ready: bool
    zone: str = ""
    role: str = ""
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """What an InferencePool says: pods with *labels*, an endpoint at each of *ports*."""

    name: str
    labels: tuple[tuple[str, str], ...]
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Objective:
    """An InferenceObjective of the pool *pool*. *models*: what its annotation names."""

    name: str
    pool: str
    priority: int
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RewriteRule:
    """A request for one of *models*, or for any if there are none, asks for one of *targets*.

    weights  how often each; none: equally often
    """

    models: tuple[str, ...]
    targets: tuple[str, ...]
    weights: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """An InferenceModelRewrite of the pool *pool*. *created* orders several."""

    name: str
    pool: str
    created: str
    rules: tuple[RewriteRule, ...]


class _Condition(Struct):
    type: str = ""
    status: str = ""


class _PodStatus(Struct):
    podIP: str = ""
    phase: str = ""
    conditions: list[_Condition] | None = None


class _Selector(Struct, rename="camel"):
    match_labels: dict[str, str] | None = None


class _Port(Struct):
    number: int = 0


class _PoolSpec(Struct, rename="camel"):
    selector: _Selector | None = None
    target_ports: list[_Port] | None = None


class _PoolRef(Struct):
    name: str = ""
    group: str = POOL_GROUP
    kind: str = "InferencePool"


class _ObjectiveSpec(Struct, rename="camel"):
    pool_ref: _PoolRef | None = None
    priority: int | None = None


class _Model(Struct):
    value: str = ""
    type: str = "Exact"


class _Match(Struct):
    model: _Model | None = None


class _Target(Struct, rename="camel"):
    model_rewrite: str = ""
    weight: int | None = None


class _Rule(Struct):
    matches: list[_Match] | None = None
    targets: list[_Target] | None = None


class _RewriteSpec(Struct, rename="camel"):
    pool_ref: _PoolRef | None = None
    rules: list[_Rule] | None = None


class _Wrong(Exception):
    """An object is not as it should be."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason, self.message = reason, message
        super().__init__(message)


def read_pod(one: Object) -> Pod | Flaw:
    """Return the pod; one that is going away is not ready."""
    try:
        status = _decoded(one.status, _PodStatus)
    except _Wrong as wrong:
        return Flaw(one.metadata.name, wrong.reason, wrong.message)
    ready = any(c.type == "Ready" and c.status == "True" for c in status.conditions or ())
    ip = _address(status.podIP)
    going = one.metadata.deletion_timestamp is not None or status.phase in ("Failed", "Succeeded")
    labels = one.labels
    return Pod(
        one.metadata.name,
        one.metadata.uid,
        one.metadata.creation_timestamp or "",
        ip,
        ready and bool(ip) and not going,
        labels.get(ZONE, ""),
        labels.get(ROLE, ""),
        tuple(sorted(labels.items()))[:LABELS_MAX],
    )


def read_pool(one: Object) -> PoolSpec | Flaw:
    """Return what the InferencePool says."""
    try:
        spec = _decoded(one.spec, _PoolSpec)
        labels = (spec.selector or _Selector()).match_labels or {}
        if not labels:
            raise _Wrong("selector", "its selector is empty, which would be every pod")
        ports = tuple(port.number for port in spec.target_ports or ())
        if not 1 <= len(ports) <= PORTS_MAX or len(set(ports)) < len(ports):
            raise _Wrong("port", f"it needs 1 to {PORTS_MAX} target ports that differ")
        wrong = [port for port in ports if not 1 <= port <= PORT_MAX]
        if wrong:
            raise _Wrong("port", f"{wrong[0]} is no port")
    except _Wrong as wrong:
        return Flaw(one.metadata.name, wrong.reason, wrong.message)
    return PoolSpec(one.metadata.name, tuple(sorted(labels.items())), ports)


def read_objective(one: Object) -> Objective | Flaw:
    """Return the objective."""
    try:
        spec = _decoded(one.spec, _ObjectiveSpec)
        priority = spec.priority or 0
        if abs(priority) > PRIORITY_MAX:
            raise _Wrong("priority", f"its priority {priority} is out of range")
        models = [name.strip() for name in one.annotations.get(MODELS, "").split(",")]
        named = tuple(name for name in models if name)
        if len(named) > MODELS_MAX:
            raise _Wrong("models", f"it names {len(named)} models; {MODELS_MAX} are allowed")
        return Objective(one.metadata.name, _pool(spec.pool_ref), priority, named)
    except _Wrong as wrong:
        return Flaw(one.metadata.name, wrong.reason, wrong.message)


def read_rewrite(one: Object) -> Rewrite | Flaw:
    """Return the rewrite."""
    try:
        spec = _decoded(one.spec, _RewriteSpec)
        rules = spec.rules or []
        if not 1 <= len(rules) <= RULES_MAX:
            raise _Wrong("rules", f"it needs 1 to {RULES_MAX} rules")
        made = tuple(_rule(rule) for rule in rules)
        created = one.metadata.creation_timestamp or ""
        return Rewrite(one.metadata.name, _pool(spec.pool_ref), created, made)
    except _Wrong as wrong:
        return Flaw(one.metadata.name, wrong.reason, wrong.message)


def _rule(rule: _Rule) -> RewriteRule:
    models = [match.model for match in rule.matches or () if match.model is not None]
    for model in models:
        if model.type != "Exact" or not model.value:
            raise _Wrong("match", f"a match of type `{model.type[:32]}`: only `Exact` is known")
    if len(models) < len(rule.matches or ()):
        models = []  # a match that asks for nothing matches everything
    targets = rule.targets or []
    if not 1 <= len(targets) <= TARGETS_MAX or not all(is_name(t.model_rewrite) for t in targets):
        raise _Wrong("targets", f"a rule needs 1 to {TARGETS_MAX} targets with a `modelRewrite`")
    names = tuple(target.model_rewrite for target in targets)
    return RewriteRule(tuple(model.value for model in models), names, _weights(targets))


def _weights(targets: list[_Target]) -> tuple[int, ...]:
    """Return how often each target is taken: if none says, equally; else who says none, never."""
    said = [target.weight for target in targets]
    if all(weight is None for weight in said):
        return ()
    for weight in said:
        if weight is not None and not 1 <= weight <= WEIGHT_MAX:
            raise _Wrong("weight", f"the weight {weight} is not 1 to {WEIGHT_MAX}")
    return tuple(weight or 0 for weight in said)


def _pool(reference: _PoolRef | None) -> str:
    """Return the name of the pool that *reference* means."""
    if reference is None or not reference.name:
        raise _Wrong("pool", "its `poolRef` names no pool")
    if (reference.group, reference.kind) != CORE_POOL:
        of = f"{reference.kind}.{reference.group}"[:96]
        raise _Wrong("pool", f"its `poolRef` is of `{of}`, and only InferencePools have objectives")
    return reference.name


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text)) if text else ""
    except ValueError:
        return ""


def _decoded(raw: Raw, kind: type[S]) -> S:
    try:
        found = msgspec.json.decode(raw, type=kind | None)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise _Wrong("shape", str(error)[:MESSAGE_CHARS_MAX]) from error
    return kind() if found is None else found
