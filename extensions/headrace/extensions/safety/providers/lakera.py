"""Lakera Guard: attacks, personal data, unwanted content and links, by the policy of a project.

Source: `POST /v2/guard`. It judges the last interaction of a conversation, so each text is
asked about on its own.
"""

from msgspec import Struct

from headrace.dsl.guarding import Guard
from headrace.extensions.safety.contract import Hit, Http, Judged, Provider, Reach, Trouble, Verdict
from headrace.extensions.safety.providers.asking import Replied, caller, read, word
from headrace.extensions.safety.providers.each import AT_ONCE_MAX, Each, Single, messages_of
from headrace.extensions.safety.providers.settings import Settings

URL = "https://api.lakera.ai"
REACH = Reach(chars_max=100_000, texts_max=AT_ONCE_MAX, locates=True)


class Detected(Struct):
    """What one detector says."""

    detector_type: str
    detected: bool = False


class Span(Struct):
    """Where something was found: characters [start, end) of a message."""

    start: int
    end: int
    detector_type: str = "payload"
    text: str = ""
    message_id: int | None = None


class Guarded(Struct):
    """The answer."""

    flagged: bool
    breakdown: list[Detected] | None = None
    payload: list[Span] | None = None


def lakera(guard: Guard) -> Provider:
    """Return the provider that asks Lakera Guard."""
    settings, http = Settings(guard), caller(guard, URL, bearer=True)
    project = settings.text("project", "")
    breakdown = settings.truth("breakdown", True)

    def ask(single: Single) -> Http:
        body: dict[str, object] = {"messages": messages_of(single), "payload": True}
        if breakdown:
            body["breakdown"] = True
        if project:
            body["project_id"] = project
        return http.post("/v2/guard", body)

    return Each("lakera", REACH, ask, judge)


def judge(reply: Replied, single: Single) -> Judged:
    """Return what it says of one text.

    If only what has a place was found, the hits are these places; else the whole text is hit.
    """
    answer = read(reply, Guarded)
    if isinstance(answer, Trouble):
        return answer
    if not answer.flagged:
        return Verdict()
    said = [one.detector_type for one in answer.breakdown or () if one.detected]
    last = len(messages_of(single)) - 1
    spans = [s for s in answer.payload or () if s.message_id is None or s.message_id == last]
    hits = [_hit(span, single) for span in spans]
    placed = {span.detector_type for span in spans}
    others = [name for name in dict.fromkeys(said) if not _covered(name, placed)]
    hits += [Hit(word(name), single.at) for name in others]
    return Verdict(tuple(hits) or (Hit("flagged", single.at),))


def _covered(detector: str, placed: set[str]) -> bool:
    """Return whether *detector*, or each part of it that was found, is among those *placed*."""
    return any(name == detector or name.startswith(f"{detector}/") for name in placed)


def _hit(span: Span, single: Single) -> Hit:
    """Return where *span* is; the whole text if its places do not fit what it says is there."""
    name, text = word(span.detector_type), single.text.text
    start, end = span.start, span.end
    if span.text and text[start : end + 1] == span.text:  # some servers count the last one too
        end += 1
    if not 0 <= start < end <= len(text) or (span.text and text[start:end] != span.text):
        return Hit(name, single.at)
    return Hit(name, single.at, start, end)
