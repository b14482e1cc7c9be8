"""From a configuration to a draft policy, with a finding for every part of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from headrace.host.importer.config import APIS, Config, Plugin
from headrace.host.importer.draft import Draft, Overloaded
from headrace.host.importer.engines import engine
from headrace.host.importer.findings import Finding, Grade
from headrace.host.importer.flow import GATE, waiting
from headrace.host.importer.others import HEADER, OTHERS
from headrace.host.importer.part import Hosted, Known, Left
from headrace.host.importer.profiles import Profiles, chooses
from headrace.host.importer.saturation import DETECTORS, saturation

_INDEX = frozenset({
    "autoTune", "blockSize", "blockSizeTokens", "hashBlockSize", "indexerConfig",
    "kvEventsConfig", "lruCapacityPerServer", "maxPrefixBlocksToMatch",
    "maxPrefixTokensToMatch", "mode", "tokenProcessorConfig",
})  # fmt: skip
_SCRAPED = frozenset(["scheme", "path", "insecureSkipVerify", "caCertPath", "interval", "port"])
_PARAMETER = re.compile(r"plugins\[\d+\]\.parameters\.")
_GATES_HERE = frozenset({"dataLayer", "prepareDataPlugins"})


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the language and the host can do.

    names     that expressions can read
    dialects  of metrics
    queues    whether the host performs `queue`
    """

    names: Known
    dialects: frozenset[str]
    queues: bool


@dataclass(frozen=True, slots=True)
class Translation:
    """A draft, and what became of every part of the configuration, by line."""

    draft: Draft
    findings: tuple[Finding, ...]


def translate(config: Config, abilities: Abilities) -> Translation:
    """Return the policy for *config*, as near as *abilities* allow."""
    findings = list(_api(config))
    profiles = Profiles(config, abilities.names, findings)
    main, choices = profiles.read()
    saturated, found = saturation(config)
    findings += found
    queue, found = waiting(config, queues=abilities.queues)
    findings += found
    findings += _gates(config)
    metrics, found = engine(config, abilities.dialects)
    findings += found
    for plugin in config.plugins:
        findings += _rest(config, plugin, abilities.names)
    findings += _references(config)
    findings += _unread(config)
    findings += _idle(config, findings)
    overload = None
    if saturated.condition:
        overload = Overloaded(saturated.condition, saturated.comment, queue)
    done = tuple(profiles.done)
    used = {name for p in done for name in (*p.require, *p.prefer, *(s.name for s in p.scored))}
    rules = tuple(dict.fromkeys(r for r in profiles.made.values() if r.name in used))
    draft = Draft(rules, done, main, choices, overload, metrics)
    return Translation(draft, tuple(sorted(findings, key=lambda finding: finding.line)))


def _api(config: Config) -> Iterator[Finding]:
    if config.api in APIS:
        return
    line = config.top.line("apiVersion")
    what = f"`{config.api}` is not one of {', '.join(APIS)}" if config.api else "it is missing"
    yield Finding(Grade.NEAR, "`apiVersion`", line, what, f"it is read as {APIS[0]}")


def _gates(config: Config) -> Iterator[Finding]:
    for gate in config.gates:
        where = f"feature gate `{gate.plugin}`"
        if gate.plugin in _GATES_HERE:
            yield Finding(Grade.HOST, where, gate.line, "the host always does this")
        elif gate.plugin != GATE:
            yield Finding(Grade.LEFT, where, gate.line, "the host has no such switch")


def _rest(config: Config, plugin: Plugin, known: Known) -> Iterator[Finding]:
    """Yield what becomes of a plugin that is no part of a profile."""
    used = {use.plugin for profile in config.profiles for use in profile.uses}
    if chooses(plugin) and plugin.type not in DETECTORS:
        if config.profiles and plugin.name not in used and not plugin.type.endswith("-picker"):
            plugin.settings.ignore(*plugin.settings.mapping.entries)
            yield Finding(Grade.HOST, plugin.where, plugin.line, "no profile uses it")
        return
    if plugin.type in DETECTORS or plugin.type == HEADER:
        return
    reading = OTHERS.get(plugin.type)
    if reading is None:
        plugin.settings.ignore(*plugin.settings.mapping.entries)
        what = f"`{plugin.type}` is no plugin of the reference"
        cure = "write what it computes as a `scorer` or `filter`"
        yield Finding(Grade.LEFT, plugin.where, plugin.line, what, cure)
        return
    match reading(plugin.settings, known):
        case Hosted(what):
            yield Finding(Grade.HOST, plugin.where, plugin.line, what)
        case Left(what, cure):
            plugin.settings.ignore(*plugin.settings.mapping.entries)
            yield Finding(Grade.LEFT, plugin.where, plugin.line, what, cure)
        case _:
            raise AssertionError(plugin.type)


def _references(config: Config) -> Iterator[Finding]:
    """Read the sections that only name plugins; yield those names that are no plugin's."""
    layer = config.top.section("dataLayer")
    older = config.top.section("data")
    names: list[tuple[str, str, int]] = []
    for section in (layer, older):
        for source in section.sections("sources"):
            names.append((section.where, source.text("pluginRef"), source.mapping.line))
            for each in source.sections("extractors"):
                names.append((section.where, each.text("pluginRef"), each.mapping.line))
    layer.ignore("injectDefaults")
    for key in ("discovery", "peerDiscovery"):
        section = layer.section(key)
        if section.mapping.entries:
            names.append((section.where, section.text("pluginRef"), section.mapping.line))
    handler = config.top.section("requestHandler")
    parsers = handler.sections("parsers")
    if config.top.has("parser"):
        parsers = [*parsers, config.top.section("parser")]
    names += [(p.where, p.text("pluginRef"), p.mapping.line) for p in parsers]
    for where, name, line in names:
        if config.plugin(name) is None and name not in OTHERS:
            yield Finding(
                Grade.LEFT, where, line, f"it names the plugin `{name}`, which is unknown"
            )


def _unread(config: Config) -> Iterator[Finding]:
    """Yield every setting that nothing has read."""
    for plugin in config.plugins:
        for path, line in plugin.settings.unread():
            where = f"{plugin.where}: `{path}`"
            top = path.partition(".")[0].partition("[")[0]
            if top in _INDEX:
                what = "the host's index has blocks of 256 bytes and a bound of its own"
            elif top in _SCRAPED:
                what = "the host reads `http://ENDPOINT/metrics` at its own pace"
            else:
                what = "it has no counterpart"
            yield Finding(Grade.LEFT, where, line, what)
    for path, line in config.top.unread():
        if not _PARAMETER.match(path):  # those of plugins are told above
            yield Finding(Grade.LEFT, f"`{path}`", line, "the reference has no such setting")
    for path, line in config.top.left_out():
        what = "the configuration itself leaves out what stands here"
        yield Finding(Grade.LEFT, f"`{path}`", line, what)


def _idle(config: Config, findings: list[Finding]) -> Iterator[Finding]:
    """Yield a finding for every plugin that has none."""
    told = {finding.where for finding in findings}
    for plugin in config.plugins:
        if plugin.where not in told:
            yield Finding(Grade.HOST, plugin.where, plugin.line, "nothing uses it")
