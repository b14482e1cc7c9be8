"""What a stand-in for Model Armor says of one text: the filters of a template, as JSON values.

Source: google.cloud.modelarmor.v1, and the limits of its filters in tokens.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.host.standins.marks import (
    ABUSE,
    BAD_HOSTS,
    HARMS,
    HIGH,
    LOW,
    MEDIUM,
    Mark,
    harms,
    injections,
    replaced,
    sensitive,
)

Json = dict[str, Any]  # Any: JSON values
BYTES_PER_TOKEN = 4
TOKENS_MAX = 10_000  # of all filters but for sensitive data
SENSITIVE_TOKENS_MAX = 130_000
FINDINGS_MAX = 1_000
MATCH, NO_MATCH = "MATCH_FOUND", "NO_MATCH_FOUND"
DONE, SKIPPED = "EXECUTION_SUCCESS", "EXECUTION_SKIPPED"
LEVELS = {"LOW_AND_ABOVE": LOW, "MEDIUM_AND_ABOVE": MEDIUM, "HIGH": HIGH}
# The published client sends enums by number, people by name.
ENFORCED = frozenset({"ENABLED", 1})
RAI_TYPES = {2: "SEXUALLY_EXPLICIT", 3: "HATE_SPEECH", 6: "HARASSMENT", 17: "DANGEROUS"}
NAMES = {level: name for name, level in LEVELS.items()}
BASIC = (
    "CREDIT_CARD_NUMBER",
    "FINANCIAL_ACCOUNT_NUMBER",
    "GCP_API_KEY",
    "GCP_CREDENTIALS",
    "US_INDIVIDUAL_TAXPAYER_IDENTIFICATION_NUMBER",
    "US_SOCIAL_SECURITY_NUMBER",
)
TOO_LONG = "the text has more tokens than this filter reads"
NO_TEXT = "this filter does not read such data"


@dataclass(frozen=True, slots=True)
class Content:
    """The text to be judged; None: data that no filter here can read."""

    text: str | None

    @property
    def tokens(self) -> int:
        return len((self.text or "").encode()) // BYTES_PER_TOKEN

    def beginning(self, tokens_max: int) -> str:
        """Return so much of the text."""
        return (self.text or "").encode()[: tokens_max * BYTES_PER_TOKEN].decode(errors="ignore")


def sanitized(config: Json, metadata: Json, content: Content, of_prompt: bool) -> Json:
    """Return the sanitization result of *content* by a template's *config* and *metadata*."""
    results: dict[str, Json] = {"csam": {"csamFilterFilterResult": _abuse(content)}}
    for name, (setting, judge) in FILTERS.items():
        if setting in config:
            result = judge(config[setting], content)
            if result is not None:
                results[name] = result
    states = [_state(result) for result in results.values()]
    skipped = sum(execution == SKIPPED for execution, _ in states)
    invocation = "SUCCESS" if not skipped else "FAILURE" if skipped == len(states) else "PARTIAL"
    matched = any(match == MATCH for _, match in states)
    answer: Json = {
        "filterMatchState": MATCH if matched else NO_MATCH,
        "filterResults": results,
        "invocationResult": invocation,
    }
    told = _told(metadata, of_prompt) if matched else {}
    if metadata.get("ignorePartialInvocationFailures"):
        told["ignorePartialInvocationFailures"] = True
    answer["sanitizationMetadata"] = told
    return answer


def _told(metadata: Json, of_prompt: bool) -> Json:
    kind = "customPromptSafetyError" if of_prompt else "customLlmResponseSafetyError"
    told: Json = {}
    if metadata.get(f"{kind}Code"):
        told["errorCode"] = str(metadata[f"{kind}Code"])  # int64
    if metadata.get(f"{kind}Message"):
        told["errorMessage"] = metadata[f"{kind}Message"]
    return told


def _state(result: Json) -> tuple[str, str]:
    """Return the execution and match state of the filter result *result*."""
    inner: Json = next(iter(result.values()))
    if "matchState" not in inner:
        inner = next(iter(inner.values()))
    return inner["executionState"], inner["matchState"]


def _judged(content: Content, find: Callable[[str], bool], tokens_max: int) -> Json:
    """Return the states of a filter that reads *tokens_max* tokens, and then no more."""
    if content.text is None:
        return _unread(NO_TEXT)
    if find(content.beginning(tokens_max)):
        return {"executionState": DONE, "matchState": MATCH}
    if content.tokens > tokens_max:
        return _unread(TOO_LONG)
    return {"executionState": DONE, "matchState": NO_MATCH}


def _unread(why: str) -> Json:
    item = {"messageType": "WARNING", "message": why}
    return {"executionState": SKIPPED, "matchState": NO_MATCH, "messageItems": [item]}


def _abuse(content: Content) -> Json:
    return _judged(content, lambda text: ABUSE.search(text) is not None, TOKENS_MAX)


def _injection(setting: Json, content: Content) -> Json | None:
    if setting.get("filterEnforcement") not in ENFORCED:
        return None
    level = _level(setting)
    seen = max((m.confidence for m in injections(content.beginning(TOKENS_MAX))), default=0)
    result = _judged(content, lambda text: seen >= level, TOKENS_MAX)
    if result["matchState"] == MATCH:
        result["confidenceLevel"] = NAMES[seen]
    return {"piAndJailbreakFilterResult": result}


def _level(setting: Json) -> int:
    asked = setting.get("confidenceLevel", MEDIUM)
    return asked if asked in NAMES else LEVELS.get(asked, MEDIUM)


def _rai(setting: Json, content: Content) -> Json | None:
    kinds: dict[str, Json] = {}
    text = content.beginning(TOKENS_MAX)
    for chosen in setting.get("raiFilters", ()):
        asked = chosen.get("filterType", "")
        kind = str(RAI_TYPES.get(asked, asked)).lower()
        level = _level(chosen)
        seen = max((mark.confidence for mark in harms(text, kind)), default=0)
        kinds[kind] = {"filterType": kind.upper(), "matchState": NO_MATCH}
        if seen >= level:
            kinds[kind] |= {"confidenceLevel": NAMES[seen], "matchState": MATCH}
    if not kinds.keys() & HARMS.keys():
        return None
    matched = any(kind["matchState"] == MATCH for kind in kinds.values())
    states = _judged(content, lambda text: matched, TOKENS_MAX)
    return {"raiFilterResult": {**states, "raiFilterTypeResults": kinds}}


def _sensitive(setting: Json, content: Content) -> Json | None:
    advanced = setting.get("advancedConfig")
    basic = setting.get("basicConfig", {}).get("filterEnforcement") in ENFORCED
    if not advanced and not basic:
        return None
    cleans = bool(advanced and advanced.get("deidentifyTemplate"))
    name = "deidentifyResult" if cleans else "inspectResult"
    if content.text is None or content.tokens > SENSITIVE_TOKENS_MAX:
        return {"sdpFilterResult": {name: _unread(NO_TEXT if content.text is None else TOO_LONG)}}
    marks = sensitive(content.text) if advanced else sensitive(content.text, BASIC)
    result: Json = {"executionState": DONE, "matchState": MATCH if marks else NO_MATCH}
    if cleans:
        text = replaced(content.text, marks, "[{}]")
        result["data"] = {"text": text}
        if marks:
            result["transformedBytes"] = str(sum(_size(content.text, mark) for mark in marks))
            result["infoTypes"] = sorted({mark.what for mark in marks})
    elif marks:
        found = marks[:FINDINGS_MAX]
        result["findings"] = [_finding(content.text, mark) for mark in found]
        if len(marks) > len(found):
            result["findingsTruncated"] = True
    return {"sdpFilterResult": {name: result}}


def _finding(text: str, mark: Mark) -> Json:
    start = len(text[: mark.start].encode())
    location = {
        "byteRange": _range(start, start + _size(text, mark)),
        "codepointRange": _range(mark.start, mark.end),
    }
    return {"infoType": mark.what, "likelihood": "VERY_LIKELY", "location": location}


def _size(text: str, mark: Mark) -> int:
    return len(text[mark.start : mark.end].encode())


def _range(start: int, end: int) -> Json:
    """Return [start, end) as proto3's JSON: int64 as strings, and no zero."""
    return {**({"start": str(start)} if start else {}), "end": str(end)}


def _uris(setting: Json, content: Content) -> Json | None:
    if setting.get("filterEnforcement") not in ENFORCED:
        return None
    text = content.beginning(TOKENS_MAX)
    items: dict[str, list[Json]] = {}
    for match in BAD_HOSTS.finditer(text):
        items.setdefault(match.group(), []).append(_range(*match.span()))
    result = _judged(content, lambda text: bool(items), TOKENS_MAX)
    if items:
        result["maliciousUriMatchedItems"] = [
            {"uri": uri, "locations": places} for uri, places in items.items()
        ]
    return {"maliciousUriFilterResult": result}


Judge = Callable[[Json, Content], "Json | None"]
# Result's name -> the setting that turns the filter on, and the filter; None: it is off.
FILTERS: Mapping[str, tuple[str, Judge]] = {
    "pi_and_jailbreak": ("piAndJailbreakFilterSettings", _injection),
    "rai": ("raiSettings", _rai),
    "sdp": ("sdpSettings", _sensitive),
    "malicious_uris": ("maliciousUriFilterSettings", _uris),
}
