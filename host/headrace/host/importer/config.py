"""The reference's EndpointPickerConfig as values, in all the shapes it has had."""

from collections.abc import Iterator
from dataclasses import dataclass

from headrace.host.importer.document import (
    ImportFault,
    Mapping,
    Scalar,
    Value,
    documents,
    texts,
)
from headrace.host.importer.settings import Settings

KIND = "EndpointPickerConfig"
APIS = (
    "llm-d.ai/v1alpha1",
    "inference.networking.x-k8s.io/v1alpha1",
)
PLUGINS_MAX = 200
NAME_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin. *settings* are its parameters; *declared* is false if only a profile names it."""

    name: str
    type: str
    line: int
    settings: Settings
    declared: bool = True

    @property
    def where(self) -> str:
        of = "" if self.name == self.type else f" ({self.type})"
        return f"plugin `{self.name}`{of}"


@dataclass(frozen=True, slots=True)
class Use:
    """That a profile uses a plugin. *weight* is None if none is given."""

    plugin: str
    line: int
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class ProfileSpec:
    """A scheduling profile: its plugins, in order."""

    name: str
    line: int
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. *top* reads what is beside plugins and profiles."""

    api: str
    top: Settings
    plugins: tuple[Plugin, ...]
    profiles: tuple[ProfileSpec, ...]
    gates: tuple[Use, ...] = ()

    def plugin(self, name: str) -> Plugin | None:
        """Return the plugin *name*."""
        return next((p for p in self.plugins if p.name == name), None)


def read_config(text: str) -> Config:
    """Return the one configuration in *text*: a document, or a text within one.

    A ConfigMap, Helm values or a Deployment have it as a text.

    Raises:
        ImportFault: there is none, there are several, or it is not one.
    """
    found = [mapping for value in documents(text) for mapping in _inside(value)]
    if not found:
        raise ImportFault(f"there is no `kind: {KIND}` in it")
    if len(found) > 1:
        lines = ", ".join(str(mapping.line) for mapping in found)
        message = f"it has {len(found)} configurations, at lines {lines}: import one at a time"
        raise ImportFault(message, found[1].line)
    return _config(found[0])


def _inside(value: Value) -> Iterator[Mapping]:
    """Yield the configurations in a document: itself, or what its texts are."""
    if _is_config(value):
        assert isinstance(value, Mapping)
        yield value
        return
    for scalar in texts(value):
        assert isinstance(scalar.value, str)
        if f"kind: {KIND}" in scalar.value:
            inner = documents(scalar.value, scalar.text_line or scalar.line)
            yield from (m for m in inner if isinstance(m, Mapping) and _is_config(m))


def _is_config(value: Value) -> bool:
    kind = value.entries.get("kind") if isinstance(value, Mapping) else None
    return isinstance(kind, Scalar) and kind.value == KIND


def _config(mapping: Mapping) -> Config:
    top = Settings("the configuration", mapping)
    top.ignore("kind", "metadata")
    plugins = [_plugin(each) for each in top.sections("plugins")]
    if len(plugins) > PLUGINS_MAX:
        raise ImportFault(f"it has more than {PLUGINS_MAX} plugins", plugins[-1].line)
    names: dict[str, int] = {}
    for plugin in plugins:
        if plugin.name in names:
            first = names[plugin.name]
            message = f"two plugins are called `{plugin.name}`, the first in line {first}"
            raise ImportFault(f"{message}: give one a `name`", plugin.line)
        names[plugin.name] = plugin.line
    profiles = tuple(_profile(each) for each in top.sections("schedulingProfiles"))
    twice = {p.name for p in profiles if [q.name for q in profiles].count(p.name) > 1}
    if twice:
        at = [p.line for p in profiles if p.name in twice][1]
        raise ImportFault(f"two profiles are called `{min(twice)}`: rename one", at)
    line = top.line("featureGates")
    gates = tuple(Use(gate, line) for gate in top.texts("featureGates"))
    return Config(top.text("apiVersion"), top, tuple(plugins), profiles, gates)


def _plugin(given: Settings) -> Plugin:
    kind = given.text("type")
    if not kind:
        raise ImportFault("a plugin has no `type`", given.mapping.line)
    name = given.text("name") or kind
    parameters = given.section("parameters")
    parameters.where = given.where = f"plugin `{name}`"
    return Plugin(name, kind, given.mapping.line, parameters)


def _profile(given: Settings) -> ProfileSpec:
    name = given.text("name")
    if not name:
        raise ImportFault("a scheduling profile has no `name`", given.mapping.line)
    if not name.isprintable() or len(name) > NAME_CHARS_MAX or name != name.strip():
        message = f"a profile's name is 1 to {NAME_CHARS_MAX} printable characters: rename it"
        raise ImportFault(message, given.mapping.line)
    given.where = f"profile `{name}`"
    return ProfileSpec(name, given.mapping.line, tuple(map(_use, given.sections("plugins"))))


def _use(given: Settings) -> Use:
    name = given.text("pluginRef")
    if not name:
        raise ImportFault(f"{given.where}: an entry has no `pluginRef`", given.mapping.line)
    weight = given.number("weight", 0.0) if given.has("weight") else None
    return Use(name, given.mapping.line, weight)
