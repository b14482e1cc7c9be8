"""What Model Armor answers, as values: the sanitization result of one text.

Source: google.cloud.modelarmor.v1, `SanitizationResult`, as JSON. Filters, fields and enum
values that are not known here are tolerated: a match of an unknown filter is a match.
"""

import re

import msgspec
from msgspec import Struct

from headrace.extensions.safety.contract import Hit, Judged, Trouble, Verdict
from headrace.extensions.safety.providers.asking import DETAIL_CHARS_MAX, failed, word

MATCH, NO_MATCH = "MATCH_FOUND", "NO_MATCH_FOUND"
SKIPPED = "EXECUTION_SKIPPED"
# At any depth of a filter that is not known. In a string its quotes would have backslashes.
STATES = re.compile(rb'"(?:matchState|executionState)"\s*:\s*"(\w+)"')
MESSAGE_CHARS_MAX = 1024  # of what the template wants a client to be told
Number = int | str  # int64 is a string in proto3 JSON


class Range(Struct, rename="camel"):
    """[start, end); proto3 JSON leaves a 0 out."""

    start: Number = 0
    end: Number = 0

    @property
    def numbers(self) -> tuple[int, int]:
        """Both as numbers; (0, 0) if they are none."""
        try:
            return int(self.start), int(self.end)
        except ValueError:
            return 0, 0


class Location(Struct, rename="camel"):
    """Where something was found: in bytes of UTF-8, and in code points."""

    byte_range: Range | None = None
    codepoint_range: Range | None = None


class Finding(Struct, rename="camel"):
    """Something that Sensitive Data Protection has found."""

    info_type: str = ""
    location: Location | None = None


class Item(Struct, rename="camel"):
    """A text that was made out of ours."""

    text: str | None = None


class Sensitive(Struct, rename="camel"):
    """What inspecting, or de-identifying, says."""

    execution_state: str = ""
    match_state: str = ""
    findings: list[Finding] = []
    findings_truncated: bool = False
    data: Item | None = None
    info_types: list[str] = []


class SensitiveFilter(Struct, rename="camel"):
    """One of these, by the template."""

    inspect_result: Sensitive | None = None
    deidentify_result: Sensitive | None = None


class RaiType(Struct, rename="camel"):
    """One kind of harm."""

    match_state: str = ""


class Rai(Struct, rename="camel"):
    """The filters of responsible AI."""

    execution_state: str = ""
    match_state: str = ""
    rai_filter_type_results: dict[str, RaiType] = {}


class UriItem(Struct, rename="camel"):
    """A URI that is known to be bad, and where it stands."""

    uri: str = ""
    locations: list[Range] = []


class Uris(Struct, rename="camel"):
    """The filter of malicious URIs."""

    execution_state: str = ""
    match_state: str = ""
    malicious_uri_matched_items: list[UriItem] = []


class Filter(Struct, rename="camel"):
    """The filters whose results say more than that they match."""

    rai_filter_result: Rai | None = None
    sdp_filter_result: SensitiveFilter | None = None
    malicious_uri_filter_result: Uris | None = None


class Metadata(Struct, rename="camel"):
    """What the template says about errors, and about filters that were not executed."""

    error_code: Number | None = None
    error_message: str = ""
    ignore_partial_invocation_failures: bool = False


class Sanitization(Struct, rename="camel"):
    """The result: *filter_results* by the filter's name, each a `Filter` or one not known."""

    filter_match_state: str
    filter_results: dict[str, msgspec.Raw] = {}
    invocation_result: str = ""
    sanitization_metadata: Metadata | None = None


class Answer(Struct, rename="camel"):
    """The whole answer of a sanitize call."""

    sanitization_result: Sanitization


def judge(answer: Answer, text: str) -> Judged:
    """Return the verdict on *text*, whose number is 0.

    A rewritten text is given only if it cures all that was found.
    """
    result = answer.sanitization_result
    if result.filter_match_state not in (MATCH, NO_MATCH):
        return failed(f"unknown filterMatchState `{word(result.filter_match_state)}`")
    if result.invocation_result == "FAILURE":
        return failed("all filters were skipped or failed")
    said = _Said(text)
    try:
        for name, raw in sorted(result.filter_results.items()):  # gRPC's have no order
            said.read(word(name), bytes(raw))
    except msgspec.ValidationError as error:
        return failed(f"a filter's result is not the kind it should be: {error}")
    return _verdict(result, said)


def _verdict(result: Sanitization, said: "_Said") -> Verdict:
    metadata = result.sanitization_metadata or Metadata()
    hits = list(said.hits)
    if result.filter_match_state == MATCH and not hits and said.clean is None:
        hits.append(Hit("model_armor", 0))
    cured = said.clean is not None and not hits
    if said.clean is not None:
        hits += [Hit(f"sdp/{name}", 0) for name in said.cured or ["deidentified"]]
    code = "" if metadata.error_code in (None, 0, "0") else str(metadata.error_code)
    return Verdict(
        tuple(hits),
        {0: said.clean} if cured and said.clean is not None else {},
        _partial(result, said, metadata),
        word(code) if code else "",
        metadata.error_message[:MESSAGE_CHARS_MAX],
    )


def _partial(result: Sanitization, said: "_Said", metadata: Metadata) -> str:
    """Return why not all was looked at; empty if the template does not mind."""
    why = [f"{name} skipped" for name in said.skipped] + said.short
    if not why and result.invocation_result != "SUCCESS":
        why = [f"invocation result {word(result.invocation_result)}"]
    if metadata.ignore_partial_invocation_failures:
        why = said.short
    return "; ".join(why)[:DETAIL_CHARS_MAX]


class _Said:
    """What the filters say of one text, gathered. Written by `judge` only.

    clean    the de-identified text, of the info types *cured*
    skipped  filters that were not executed
    short    filters whose list of findings is cut
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self.hits: list[Hit] = []
        self.clean: str | None = None
        self.cured: list[str] = []
        self.skipped: list[str] = []
        self.short: list[str] = []

    def read(self, name: str, raw: bytes) -> None:
        """Take the result of the filter *name*."""
        known = msgspec.json.decode(raw, type=Filter)
        states = STATES.findall(raw)
        if SKIPPED.encode() in states:
            self.skipped.append(name)
        before = len(self.hits), self.clean
        if known.rai_filter_result is not None:
            self._rai(name, known.rai_filter_result)
        if known.sdp_filter_result is not None:
            self._sensitive(name, known.sdp_filter_result)
        if known.malicious_uri_filter_result is not None:
            self._uris(name, known.malicious_uri_filter_result)
        if MATCH.encode() in states and before == (len(self.hits), self.clean):
            self.hits.append(Hit(name, 0))

    def _rai(self, name: str, rai: Rai) -> None:
        for kind, result in rai.rai_filter_type_results.items():
            if result.match_state == MATCH:
                self.hits.append(Hit(f"{name}/{word(kind)}", 0))

    def _sensitive(self, name: str, sensitive: SensitiveFilter) -> None:
        inspected, cleaned = sensitive.inspect_result, sensitive.deidentify_result
        if inspected is not None and inspected.match_state == MATCH:
            self.hits += [self._finding(name, finding) for finding in inspected.findings]
            if inspected.findings_truncated:
                self.short.append(f"{name} findings truncated")
        if cleaned is not None and cleaned.match_state == MATCH:
            if cleaned.data is None or cleaned.data.text is None:
                self.hits.append(Hit(name, 0))
            else:
                self.clean = cleaned.data.text
                self.cured = [word(kind) for kind in cleaned.info_types]

    def _finding(self, name: str, finding: Finding) -> Hit:
        what = f"{name}/{word(finding.info_type)}"
        at = finding.location or Location()
        points = at.codepoint_range
        span = (0, 0) if points is None else points.numbers
        if points is None and at.byte_range is not None:
            span = _points(self._text, *at.byte_range.numbers)
        return self._hit(what, *span)

    def _uris(self, name: str, uris: Uris) -> None:
        for item in uris.malicious_uri_matched_items:
            for place in item.locations or [Range()]:
                start, end = place.numbers
                if self._text[start:end] != item.uri:
                    start, end = _points(self._text, start, end)
                if self._text[start:end] != item.uri:
                    start = end = 0
                self.hits.append(self._hit(name, start, end))

    def _hit(self, what: str, start: int, end: int) -> Hit:
        """Return where it is; a place outside the text is none, so the whole text is hit."""
        if 0 <= start < end <= len(self._text):
            return Hit(what, 0, start, end)
        return Hit(what, 0)


def _points(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a range of bytes of UTF-8 in code points; (0, 0) if it cuts a character."""
    if text.isascii():
        return start, end
    data = text.encode("utf-8", "surrogatepass")
    if not 0 <= start < end <= len(data):
        return 0, 0
    try:
        before, inside = data[:start].decode(), data[start:end].decode()
    except UnicodeDecodeError:
        return 0, 0
    return len(before), len(before) + len(inside)


def shifted(judged: Judged, at: int) -> Judged:
    """Return *judged*, which is about the text 0, as about the text *at*."""
    if isinstance(judged, Trouble) or not at:
        return judged
    hits = tuple(msgspec.structs.replace(hit, at=at) for hit in judged.hits)
    rewritten = {} if 0 not in judged.rewritten else {at: judged.rewritten[0]}
    return msgspec.structs.replace(judged, hits=hits, rewritten=rewritten)
