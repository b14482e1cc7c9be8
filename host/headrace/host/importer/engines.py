"""What the configuration says of the metrics of model servers: which dialect that is here."""

import re
from collections.abc import Iterator, Set

from headrace.dsl.dialects.builtin import built_in
from headrace.dsl.dialects.dialect import Metric
from headrace.host.importer.config import Config, Plugin
from headrace.host.importer.findings import Finding, Grade
from headrace.host.importer.settings import Settings

EXTRACTORS = ("core-metrics-extractor", "model-server-protocol-metrics")
_SPEC = re.compile(r"\s*([a-zA-Z_:][\w:]*)\s*(?:\{\s*(.*?)\s*\})?\s*")
_PAIR = re.compile(r'([a-zA-Z_]\w*)\s*=\s*"?([^",}]*)"?')
# The reference's setting -> the section of a dialect file.
_SPECS = {
    "queuedRequestsSpec": "queue",
    "runningRequestsSpec": "running",
    "kvUsageSpec": "kv_cache",
    "cacheBlockSizeSpec": "block_size",
    "cacheNumBlocksSpec": "num_blocks",
}
_LABELS = {"cacheBlockSizeLabelName": "block_size", "cacheNumBlocksLabelName": "num_blocks"}
_FIELDS = {"queue": "waiting", "running": "running", "kv_cache": "kv_cache"}


def engine(config: Config, dialects: Set[str]) -> tuple[str, list[Finding]]:
    """Return the dialect of metrics that the configuration asks for."""
    found: list[Finding] = []
    metrics = "vllm"
    for plugin in config.plugins:
        if plugin.type not in EXTRACTORS:
            continue
        name = plugin.settings.text("defaultEngine", "vllm")
        own = {each.text("name"): each for each in plugin.settings.sections("engineConfigs")}
        for each in own.values():
            found += _engine(plugin, each, dialects)
        if name in dialects:
            metrics = name
        elif name not in own:
            what = f"the metrics of `{name}` are not known here"
            known = ", ".join(sorted(dialects))
            cure = f"a pool's `metrics` is one of {known}, or a file of your own"
            found.append(Finding(Grade.LEFT, plugin.where, plugin.line, what, cure))
    return metrics, found


def _engine(plugin: Plugin, settings: Settings, dialects: Set[str]) -> Iterator[Finding]:
    """Yield what becomes of one engine's own metrics."""
    name = settings.text("name")
    sections: dict[str, str] = {}
    for key, section in _SPECS.items():
        sections[section] = settings.text(key)
    info = settings.text("cacheInfoSpec")
    labels = {section: settings.text(key) for key, section in _LABELS.items()}
    lora = settings.text("loraSpec")
    settings.ignore("customMetrics")
    where = f"{plugin.where}: engine `{name}`"
    line = settings.line("name")
    if name in dialects and all(_is_built_in(name, s, sections[s]) for s in _FIELDS):
        yield Finding(Grade.HOST, where, line, f"the dialect `{name}` reads these metrics")
        return
    parts = [f"[{section}] {_toml(spec)}" for section, spec in sections.items() if spec]
    for section, label in labels.items():
        if info and label:
            parts.append(f'[{section}] {_toml(info)} label = "{label}"')
    if lora:
        parts.append(f'[adapters] metric = "{lora}" with the labels of its names')
    cure = f'write them to a file, `metrics "{name}.toml"` in the pool: {"; ".join(parts)}'
    what = f"`{name}` has metrics of its own"
    yield Finding(Grade.LEFT, where, line, what, cure if parts else "name its metrics in a file")


def _is_built_in(name: str, section: str, spec: str) -> bool:
    """Return whether the dialect *name* reads *section* where *spec* says that it is."""
    read = _SPEC.fullmatch(spec)
    places: tuple[Metric, ...] = getattr(built_in(name), _FIELDS[section])
    if not spec:
        return True  # the reference keeps its own, which is the dialect's
    if read is None:
        return False
    where = tuple(sorted(_PAIR.findall(read[2] or "")))
    return any((m.name.decode(), m.where) == (read[1], where) for m in places)


def _toml(spec: str) -> str:
    read = _SPEC.fullmatch(spec)
    if read is None:
        return f'metric = "{spec}"'
    pairs = ", ".join(f'{label} = "{value}"' for label, value in _PAIR.findall(read[2] or ""))
    return f'metric = "{read[1]}"' + (f" where = {{ {pairs} }}" if pairs else "")
