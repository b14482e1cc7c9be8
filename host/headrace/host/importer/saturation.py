"""When the reference calls a pool saturated, as the condition of an `overload`."""

from dataclasses import dataclass

from headrace.host.importer.config import Config, Plugin
from headrace.host.importer.findings import Finding, Grade
from headrace.host.importer.settings import Settings
from headrace.host.importer.words import double, percent

UTILIZATION = "utilization-detector"
CONCURRENCY = "concurrency-detector"
ADMITTER = "probabilistic-admitter"
DETECTORS = frozenset({UTILIZATION, CONCURRENCY, ADMITTER})
_COUNT_MAX = 2**31
COMMENT = (
    "the reference's utilization detector does, without being told; of negative priority "
    "is what says so in a `model`, a `class` or an objective"
)
_STALE = "how old measurements may be is said by the pool: `stale after`, 2s if it is not said"
_MEANS = (
    "the reference takes the mean of each endpoint's worse measure; here the mean of each measure "
    "counts, which is never more: it sheds a little later"
)


@dataclass(frozen=True, slots=True)
class Saturation:
    """The *condition* of an `overload`, empty if it can never hold, and where it is from."""

    condition: str
    comment: str


def saturation(config: Config) -> tuple[Saturation, list[Finding]]:
    """Return when the pool counts as saturated, and what became of the detectors."""
    found: list[Finding] = []
    admitter = next((p for p in config.plugins if p.type == ADMITTER), None)
    detector = _detector(config, found)
    if admitter is not None:
        settings = detector.settings if isinstance(detector, Plugin) else detector
        settings.ignore(*settings.mapping.entries)
        return _admitted(admitter, found), found
    if isinstance(detector, Plugin) and detector.type == CONCURRENCY:
        return _concurrency(detector, found), found
    settings = detector.settings if isinstance(detector, Plugin) else detector
    where = detector.where if isinstance(detector, Plugin) else "`saturationDetector`"
    settings.ignore("headroom", "pluginRef")
    if settings.has("metricsStalenessThreshold"):
        line = settings.line("metricsStalenessThreshold")
        found.append(Finding(Grade.LEFT, f"{where}: `metricsStalenessThreshold`", line, _STALE))
        settings.ignore("metricsStalenessThreshold")
    queue = settings.number("queueDepthThreshold", 5)
    kv_cache = settings.number("kvCacheUtilThreshold", 0.8)
    if settings.mapping.line:
        found.append(Finding(Grade.NEAR, where, settings.mapping.line, _MEANS))
    return Saturation(_condition(queue, kv_cache), COMMENT), found


def _detector(config: Config, found: list[Finding]) -> Plugin | Settings:
    """Return the detector in use: a plugin, or the settings that stand in its place."""
    flow = config.top.section("flowControl")
    top = config.top.section("saturationDetector")
    new = flow.section("saturationDetector")
    chosen = new if flow.has("saturationDetector") else top
    name = chosen.text("pluginRef") or UTILIZATION
    plugin = config.plugin(name)
    if plugin is None and chosen.text("pluginRef") and name != UTILIZATION:
        what = f"it names the plugin `{name}`, which is not among `plugins`"
        cure = "the utilization detector is taken in its place"
        line = chosen.mapping.line
        found.append(Finding(Grade.NEAR, "`saturationDetector`", line, what, cure))
    if plugin is not None and plugin.type in (UTILIZATION, CONCURRENCY):
        return plugin
    if plugin is not None:
        what = f"a detector of type `{plugin.type}` is not known"
        cure = "the utilization detector is taken in its place; write its condition there"
        found.append(Finding(Grade.NEAR, "`saturationDetector`", plugin.line, what, cure))
    return chosen


def _condition(queue: float, kv_cache: float) -> str:
    parts: list[str] = []
    if 0 < queue < _COUNT_MAX:
        parts.append(f"pool.queue >= {double(queue)}")
    if 0 < kv_cache <= 1:
        parts.append(f"pool.kv_cache >= {percent(kv_cache)}")
    return " || ".join(parts)


def _concurrency(plugin: Plugin, found: list[Finding]) -> Saturation:
    settings = plugin.settings
    settings.ignore("headroom", "inFlightLoadProducerName", "maxTokenConcurrency")
    mode = settings.text("concurrencyMode", "requests")
    most = settings.number("maxConcurrency", 100)
    what = "requests running and waiting at the servers are counted, instead of those in flight"
    if mode != "requests":
        what += "; tokens in flight are not"
    found.append(Finding(Grade.NEAR, plugin.where, plugin.line, what))
    condition = f"pool.running + pool.queue >= {double(most)}"
    return Saturation(condition, "the reference's concurrency detector does")


def _admitted(plugin: Plugin, found: list[Finding]) -> Saturation:
    """Return where the probability of `min(s^power * k, 1)` passes one half."""
    settings = plugin.settings
    power, k = settings.number("power", 5), settings.number("k", 300)
    queue = settings.number("queueDepthThreshold", 5)
    kv_cache = settings.number("kvCacheUtilThreshold", 0.8)
    point = (0.5 / k) ** (1 / power) if k > 0 and power > 0 else 1.0
    what = (
        f"the reference sheds at random, more as the load rises; here all of it is shed from the "
        f"load on at which it would be half, {percent(round(point, 3))} of the thresholds"
    )
    cure = "move the two bounds to where you want them"
    found.append(Finding(Grade.NEAR, plugin.where, plugin.line, what, cure))
    condition = _condition(round(queue * point, 3), round(kv_cache * point, 4))
    return Saturation(condition, "the probabilistic admitter does where it would shed half")
