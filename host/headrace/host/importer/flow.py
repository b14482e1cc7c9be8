"""Flow control: what of it is a `queue`, and what is left."""

from headrace.host.importer.config import Config
from headrace.host.importer.draft import Waiting
from headrace.host.importer.findings import Finding, Grade
from headrace.host.importer.settings import Settings
from headrace.host.importer.words import quantity, seconds

GATE = "flowControl"
FAIRNESS_HEADER = "x-llm-d-inference-fairness-id"
TTL_S = 60.0
REQUESTS_MAX = 5000
WAIT_S_MAX = 3600.0
_BAND = ("maxBytes", "maxRequests", "fairnessPolicyRef", "orderingPolicyRef", "priority")


def waiting(config: Config, *, queues: bool) -> tuple[Waiting | None, list[Finding]]:
    """Return the queue that flow control asks for, if the gate is open and the host *queues*."""
    flow = config.top.section("flowControl")
    found: list[Finding] = []
    gate = next((gate for gate in config.gates if gate.plugin == GATE), None)
    if gate is None:
        _closed(flow, found)
        return None, found
    if not queues:
        what = "requests do not wait in the host: they are let through or turned away"
        cure = "work of negative priority is shed in its place"
        found.append(Finding(Grade.NEAR, f"feature gate `{GATE}`", gate.line, what, cure))
        _every(flow, found, "there is no queue to bound")
        return None, found
    found.append(Finding(Grade.EXACT, f"feature gate `{GATE}`", gate.line))
    return _queue(config, flow, found), found


def _closed(flow: Settings, found: list[Finding]) -> None:
    flow.ignore("saturationDetector")
    if any(key != "saturationDetector" for key in flow.mapping.entries):
        what = f"the feature gate `{GATE}` is closed, so the reference ignores it too"
        found.append(Finding(Grade.HOST, f"`{flow.where}`", flow.mapping.line, what))
    _all(flow)


def _all(flow: Settings) -> None:
    flow.ignore(*(key for key in flow.mapping.entries if key != "saturationDetector"))


def _every(flow: Settings, found: list[Finding], what: str) -> None:
    for key in flow.mapping.entries:
        if key not in flow.asked:
            found.append(Finding(Grade.LEFT, f"`flowControl.{key}`", flow.line(key), what))
    _all(flow)


def _queue(config: Config, flow: Settings, found: list[Finding]) -> Waiting:
    up_to_s, where = TTL_S, "`flowControl`"
    if flow.has("defaultRequestTTL"):
        key = "defaultRequestTTL"
        up_to_s = min(WAIT_S_MAX, seconds(flow.text(key), where, flow.line(key)))
    bands = [flow.section(k) for k in ("defaultPriorityBand", "defaultNegativePriorityBand")]
    bands += flow.sections("priorityBands")
    at_most = REQUESTS_MAX
    if flow.has("maxRequests"):
        key = "maxRequests"
        at_most = int(quantity(flow.text(key), where, flow.line(key)))
    elif bands[0].has("maxRequests"):
        key = "maxRequests"
        at_most = int(quantity(bands[0].text(key), where, bands[0].line(key)))
    fair = False
    for band in bands:
        fair = fair or _band(config, band, found)
    left = {"maxBytes": "bytes that wait are bounded by the host's own limit"}
    for key in flow.mapping.entries:
        if key not in flow.asked:
            what = left.get(key, "it has no counterpart")
            found.append(Finding(Grade.LEFT, f"`flowControl.{key}`", flow.line(key), what))
    _all(flow)
    return Waiting(up_to_s or TTL_S, max(1, at_most), FAIRNESS_HEADER if fair else "")


def _band(config: Config, band: Settings, found: list[Finding]) -> bool:
    """Return whether requests of a band take turns; say what its other settings become."""
    if not band.mapping.entries:
        return False
    policy = config.plugin(band.text("fairnessPolicyRef"))
    kind = policy.type if policy is not None else band.text("fairnessPolicyRef")
    band.ignore(*_BAND)
    what = "one queue has one bound and one order for all priorities"
    found.append(Finding(Grade.NEAR, band.where, band.mapping.line, what))
    return kind == "round-robin-fairness-policy"
