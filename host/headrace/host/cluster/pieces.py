"""Objects that hold texts of a policy: labelled ConfigMaps, and SchedPolicies. Pure.

What is wrong with one is part of the value. It is not left out as others are: a policy
without one of its parts, a guard say, is another policy.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from headrace.dsl.source import Source
from headrace.host.cluster.objects import MESSAGE_CHARS_MAX, Object
from headrace.host.cluster.resource import Resource
from headrace.host.serve.files import SUFFIX, TESTS_SUFFIX

GROUP, VERSION = "headrace.dev", "v1alpha1"
CONFIG_MAP, SCHED_POLICY = "ConfigMap", "SchedPolicy"
PREFIXES = {CONFIG_MAP: "configmap", SCHED_POLICY: "schedpolicy"}
OBJECTS_MAX = 256  # of one kind; one more is read, to know that there are too many
ONLY_NAME = "policy.sched"  # of the text of a SchedPolicy that has just one
KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}", re.ASCII)  # of a ConfigMap
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """The texts of one object.

    object      by a resource with its name
    generation  counts the changes of its spec; 0 of a kind that has none
    version     of the object that was read
    shas        of the texts, same order
    flaw        why it cannot be a part of a policy; empty if it can
    """

    object: Resource
    kind: str
    uid: str
    generation: int
    version: str
    sources: tuple[Source, ...]
    shas: tuple[str, ...] = ()
    flaw: str = ""

    @property
    def name(self) -> str:
        """As it stands in messages: its kind, namespace and name."""
        return name_of(self.kind, self.object.namespace, self.object.name)

    @property
    def bytes(self) -> int:
        """How much text it has, at least."""
        return sum(len(one.text) for one in self.sources)


class _Spec(Struct):
    text: str | None = None
    files: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    flaw: str = ""


def config_maps(namespace: str, labels: Labels) -> Resource:
    """Return the ConfigMaps that have *labels*."""
    return Resource("", "v1", "configmaps", namespace, "", labels, OBJECTS_MAX + 1)


def sched_policies(namespace: str, labels: Labels) -> Resource:
    """Return the SchedPolicies that have *labels*."""
    return Resource(GROUP, VERSION, "schedpolicies", namespace, "", labels, OBJECTS_MAX + 1)


def name_of(kind: str, namespace: str, name: str) -> str:
    """Return how an object of *kind* is called in messages; its texts have their key behind."""
    return f"{PREFIXES[kind]}/{namespace}/{name}"


def read_config_map(one: Object, namespace: str) -> Piece:
    """Return the texts of a ConfigMap: one for each key that is a policy file's name."""
    return _piece(one, config_maps(namespace, ()), CONFIG_MAP, _of_config_map(one))


def read_sched_policy(one: Object, namespace: str) -> Piece:
    """Return the texts of a SchedPolicy: `spec.text`, or those of `spec.files`."""
    return _piece(one, sched_policies(namespace, ()), SCHED_POLICY, _of_sched_policy(one))


def _of_config_map(one: Object) -> _Found:
    try:
        data = msgspec.json.decode(one.data, type=dict[str, str] | None) or {}
        binary = msgspec.json.decode(one.binary_data, type=dict[str, str] | None) or {}
    except (msgspec.MsgspecError, UnicodeError) as error:
        return _Found({}, str(error)[:MESSAGE_CHARS_MAX])
    odd = next((key for key in binary if key.endswith(SUFFIX)), "")
    if odd:
        return _Found({}, f"its key `{odd}` is binary, which is not UTF-8: put it under `data`")
    texts = {key: text for key, text in data.items() if _is_policy(key)}
    return _Found(texts) if texts else _Found({}, f"it has no key that ends in `{SUFFIX}`")


def _of_sched_policy(one: Object) -> _Found:
    try:
        spec = msgspec.json.decode(one.spec, type=_Spec | None) or _Spec()
    except (msgspec.MsgspecError, UnicodeError) as error:
        return _Found({}, str(error)[:MESSAGE_CHARS_MAX])
    if (spec.text is None) == (spec.files is None):
        return _Found({}, "it needs one of `spec.text` and `spec.files`, and not both")
    if spec.files is None:
        return _Found({ONLY_NAME: spec.text or ""})
    for key in spec.files:
        if not KEY.fullmatch(key) or not key.endswith(SUFFIX):
            return _Found({}, f"`{key[:64]}` in `spec.files` is no name that ends in `{SUFFIX}`")
    texts = {key: text for key, text in spec.files.items() if _is_policy(key)}
    return _Found(texts) if texts else _Found({}, "`spec.files` has tests only")


def _is_policy(key: str) -> bool:
    """Return whether *key* is a policy file's name: as in a directory, tests are none."""
    return key.endswith(SUFFIX) and not key.endswith(TESTS_SUFFIX) and not key.startswith(".")


def _piece(one: Object, of: Resource, kind: str, found: _Found) -> Piece:
    meta = one.metadata
    about = Resource(of.group, of.version, of.plural, of.namespace, meta.name)
    folder = name_of(kind, of.namespace, meta.name)
    sources = tuple(Source(f"{folder}/{key}", found.texts[key]) for key in sorted(found.texts))
    shas = tuple(
        hashlib.sha256(s.text.encode("utf-8", "surrogatepass")).hexdigest() for s in sources
    )
    about_it = (meta.uid, meta.generation, meta.resource_version)
    return Piece(about, kind, *about_it, sources, shas, found.flaw)
