"""ConfigMaps that say which base model adapters are of. Pure.

Source: llm-d's payload processor, and the body-based router before it: `data.baseModel`, and
`data.adapters`, a list in YAML; several maps may speak of one base.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import is_

import msgspec
import yaml
from msgspec import Struct

from headrace.extensions.call import is_name
from headrace.host.cluster import resource as r
from headrace.host.cluster.objects import MESSAGE_CHARS_MAX, Object
from headrace.host.cluster.reading import Flaw
from headrace.host.cluster.resource import Resource
from headrace.host.cluster.telling import AnyWatcher

ADAPTERS_MAX = 1024  # of one map


@dataclass(frozen=True, slots=True)
class Adapters:
    """The adapters *names* of one *base* model, as one map says. *created* orders several."""

    name: str
    created: str
    base: str
    names: tuple[str, ...]


class _Data(Struct, rename="camel"):
    base_model: str = ""
    adapters: str = ""


def read_adapters(one: Object) -> Adapters | Flaw:
    """Return what the ConfigMap says."""
    name = one.metadata.name
    try:
        data = msgspec.json.decode(one.data, type=_Data | None) or _Data()
        # Each scalar as it is written: a name may look like a number, a date, or a switch.
        listed: object = yaml.load(data.adapters, yaml.BaseLoader) or []  # noqa: S506 - only text
    except (msgspec.MsgspecError, UnicodeError, yaml.YAMLError, RecursionError) as error:
        return Flaw(name, "shape", str(error)[:MESSAGE_CHARS_MAX])
    base = data.base_model.strip()
    if not is_name(base):
        return Flaw(name, "base", "its `baseModel` names no model")
    found = msgspec.convert(listed, list[object]) if isinstance(listed, list) else [listed]
    names = tuple(each for each in found if isinstance(each, str) and is_name(each))
    if len(names) < len(found) or len(names) > ADAPTERS_MAX:
        text = f"its `adapters` is not a list of up to {ADAPTERS_MAX} names"
        return Flaw(name, "adapters", text)
    return Adapters(name, one.metadata.creation_timestamp or "", base, names)


@dataclass(slots=True)
class AdapterMaps:
    """The maps of one namespace, as they were last looked at. Mutable; one thread only."""

    namespace: str
    _seen: list[Mapping[str, object]] = field(default_factory=list[Mapping[str, object]])

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What must be watched for them."""
        return r.adapter_maps(self.namespace)

    def changed(self, watchers: Mapping[Resource, AnyWatcher]) -> Mapping[str, str] | None:
        """Return adapter -> base model; None if that is what it was the last time.

        Of two maps that speak of one adapter, the older counts.
        """
        seen = [watchers[one].known.items for one in self.resources if one in watchers]
        if len(seen) == len(self._seen) and all(map(is_, seen, self._seen)):
            return None
        self._seen = seen
        said = [one for items in seen for one in items.values() if isinstance(one, Adapters)]
        said.sort(key=lambda one: (one.created, one.name), reverse=True)
        return {name: one.base for one in said for name in one.names}
