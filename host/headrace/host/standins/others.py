"""Stand-ins for the other providers: what each answers, by the contract of its API."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from headrace.host.standins.marks import HARMS, MEDIUM, Mark, harms, injections, replaced, sensitive
from headrace.host.standins.server import Endpoint, Refusal, Request

Json = dict[str, Any]  # Any: JSON values
# Of MLCommons' hazards, those that the patterns have something for.
HAZARDS = {
    "dangerous": "S9",
    "harassment": "S10",
    "hate_speech": "S10",
    "sexually_explicit": "S12",
}
MODERATED = {
    "dangerous": "illicit/violent",
    "harassment": "harassment",
    "hate_speech": "hate/threatening",
    "sexually_explicit": "sexual",
}
UNKNOWN_GUARD = b'{"detail": "A Guard with that id does not exist!"}'


class Message(Struct):
    """A message of a chat."""

    role: str
    content: str


def _harm(text: str) -> list[Mark]:
    return [mark for kind in HARMS for mark in harms(text, kind) if mark.confidence >= MEDIUM]


def _objections(text: str) -> list[str]:
    attacks = [mark.what for mark in injections(text) if mark.confidence >= MEDIUM]
    return list(dict.fromkeys([*attacks, *(mark.what for mark in _harm(text))]))


class Checks(Struct):
    """`POST /v1/checks` of NeMo Guardrails."""

    messages: list[Message]
    guardrails: Json = {}


def nemo(request: Request) -> Json:
    """Return what rails say: they block attacks and harm, and mask personal data."""
    asked = msgspec.json.decode(request.body, type=Checks)
    if not asked.messages:
        raise Refusal(422, "", b'{"detail": "messages must be non-empty"}')
    if not (asked.guardrails.get("config_id") or asked.guardrails.get("config_ids")):
        why = "No guardrails config_id provided and server has no default configuration"
        raise Refusal(422, "", msgspec.json.encode({"detail": why}))
    text = asked.messages[-1].content
    if _objections(text):
        rail = "self check input" if asked.messages[-1].role == "user" else "self check output"
        refusal = "I'm sorry, I can't respond to that."
        return {"status": "blocked", "content": refusal, "rail": rail}
    clean = replaced(text, sensitive(text), "<{}>")
    return {"status": "passed" if clean == text else "modified", "content": clean}


class Chat(Struct):
    """`POST /v1/chat/completions` of a server with Llama Guard."""

    model: str
    messages: list[Message]


def llama_guard(request: Request) -> Json:
    """Return the verdict on the last message, as the model writes it."""
    asked = msgspec.json.decode(request.body, type=Chat)
    if not asked.messages:
        raise Refusal(400, "the chat has no messages")
    found = sorted({HAZARDS[mark.what] for mark in _harm(asked.messages[-1].content)})
    said = f"\n\nunsafe\n{','.join(found)}" if found else "\n\nsafe"
    message = {"role": "assistant", "content": said}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice]}


class Analyze(Struct):
    """`POST /analyze` of Presidio's analyzer."""

    text: str
    language: str
    entities: list[str] | None = None
    score_threshold: float = 0.0


class Entity(Struct):
    """What the analyzer finds, and the anonymizer takes."""

    entity_type: str
    start: int
    end: int
    score: float = 0.85


class Anonymize(Struct):
    """`POST /anonymize` of Presidio's anonymizer."""

    text: str
    analyzer_results: list[Entity]


PRESIDIO = {
    "CREDIT_CARD_NUMBER": "CREDIT_CARD",
    "US_SOCIAL_SECURITY_NUMBER": "US_SSN",
    "EMAIL_ADDRESS": "EMAIL_ADDRESS",
    "PHONE_NUMBER": "PHONE_NUMBER",
    "PERSON": "PERSON",
}


def analyze(request: Request) -> list[Entity]:
    """Return the personal data of the text."""
    asked = msgspec.json.decode(request.body, type=Analyze)
    if asked.language != "en":
        body = b'{"error": "No matching recognizers were found to serve the request."}'
        raise Refusal(500, "", body)
    found = [
        Entity(PRESIDIO[mark.what], mark.start, mark.end)
        for mark in sensitive(asked.text, tuple(PRESIDIO))
    ]
    wanted = asked.entities
    return [
        entity
        for entity in found
        if (wanted is None or entity.entity_type in wanted)
        and entity.score >= asked.score_threshold
    ]


def anonymize(request: Request) -> Json:
    """Return the text with each entity replaced by its name."""
    asked = msgspec.json.decode(request.body, type=Anonymize)
    marks = [Mark(e.entity_type, e.start, e.end) for e in asked.analyzer_results]
    text = replaced(asked.text, marks, "<{}>")
    items = [{"entity_type": mark.what, "operator": "replace"} for mark in marks]
    return {"text": text, "items": items}


class Guard(Struct):
    """`POST /v2/guard` of Lakera."""

    messages: list[Message]
    project_id: str = ""
    breakdown: bool = False
    payload: bool = False


def lakera(request: Request) -> Json:
    """Return what the detectors say of the last message."""
    if not request.headers.get("authorization", "").startswith("Bearer "):
        raise Refusal(401, "", b'{"error": {"type": "unauthorized", "message": "no API key"}}')
    asked = msgspec.json.decode(request.body, type=Guard)
    if not asked.messages:
        raise Refusal(400, "", b'{"error": {"type": "invalid_request", "message": "no message"}}')
    last = len(asked.messages) - 1
    text = asked.messages[last].content
    personal = sensitive(text)
    found = {
        "prompt_attack": bool(list(injections(text))),
        "moderated_content/harm": bool(_harm(text)),
        **{f"pii/{mark.what.lower()}": True for mark in personal},
    }
    answer: Json = {"flagged": any(found.values()), "metadata": {"request_uuid": "0"}}
    if asked.breakdown:
        answer["breakdown"] = [
            {"detector_type": name, "detected": detected, "message_id": last}
            for name, detected in found.items()
        ]
    if asked.payload:
        answer["payload"] = [
            {
                "start": mark.start,
                "end": mark.end,
                "text": text[mark.start : mark.end],
                "detector_type": f"pii/{mark.what.lower()}",
                "message_id": last,
            }
            for mark in personal
        ]
    return answer


class Moderate(Struct):
    """`POST /v1/moderations` of OpenAI."""

    input: str | list[str]
    model: str = ""


def moderations(request: Request) -> Json:
    """Return the categories of each input, with scores."""
    asked = msgspec.json.decode(request.body, type=Moderate)
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    return {"id": "modr-1", "model": asked.model, "results": [_moderated(text) for text in texts]}


def _moderated(text: str) -> Json:
    scores = dict.fromkeys((*MODERATED.values(), "violence"), 0.01)
    for kind, category in MODERATED.items():
        sure = max((mark.confidence for mark in harms(text, kind)), default=0)
        if sure:
            scores[category] = 0.3 * sure
    categories = {name: score > 0.5 for name, score in scores.items()}
    return {
        "flagged": any(categories.values()),
        "categories": categories,
        "category_scores": scores,
    }


class Validate(Struct):
    """`POST /guards/{name}/validate` of Guardrails AI, in the spelling of its version."""

    snake: str | None = msgspec.field(default=None, name="llm_output")
    camel: str | None = msgspec.field(default=None, name="llmOutput")


def guardrails_ai(request: Request) -> Json:
    """Return the outcome of the guard that the path names.

    ``strict`` raises, so answers with 400; ``fixing`` corrects personal data; the others say no.
    """
    asked = msgspec.json.decode(request.body, type=Validate)
    name, text = unquote(request.names["name"]), asked.snake or asked.camel
    if name not in ("strict", "fixing", "plain"):
        raise Refusal(404, "", UNKNOWN_GUARD)
    if text is None:
        raise Refusal(400, "", b'{"detail": "there is no output to validate"}')
    objections = _objections(text)
    if objections and name == "strict":
        why = f"Validation failed for field with errors: {', '.join(objections)}"
        raise Refusal(400, "", msgspec.json.encode({"detail": why}))
    clean = replaced(text, sensitive(text), "<{}>") if name == "fixing" else text
    spell = str if asked.snake is not None else _spelt
    failed = [{spell("validator_name"): what, spell("fail_reason"): what} for what in objections]
    outcome = {
        "call_id": "1",
        "raw_llm_output": text,
        "validated_output": None if objections else clean,
        "validation_passed": not objections,
        "validation_summaries": failed,
    }
    return {spell(name): value for name, value in outcome.items()}


def _spelt(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


class Screened(Struct):
    """A body of our own for an API of one's own."""

    text: str = ""
    texts: list[str] = []


def screen(request: Request) -> Json:
    """Return whether the text is objected to, what as, and a clean one."""
    asked = msgspec.json.decode(request.body, type=Screened)
    texts = asked.texts or [asked.text]
    labels = list(dict.fromkeys(what for text in texts for what in _objections(text)))
    clean = [replaced(text, sensitive(text), "[{}]") for text in texts]
    personal = clean != texts
    return {
        "flagged": bool(labels) or personal,
        "label": [*labels, *(["personal"] if personal else [])],
        "clean": clean if asked.texts else clean[0],
    }


ENDPOINTS: Mapping[str, Mapping[str, Callable[[Request], object]]] = {
    "nemo": {"/v1/checks": nemo},
    "llama_guard": {"/v1/chat/completions": llama_guard},
    "presidio": {"/analyze": analyze, "/anonymize": anonymize},
    "lakera": {"/v2/guard": lakera},
    "openai_moderation": {"/v1/moderations": moderations},
    "guardrails_ai": {"/guards/{name}/validate": guardrails_ai},
    "http": {"/check": screen},
}


def endpoints(provider: str) -> tuple[Endpoint, ...]:
    """Return what the stand-in of *provider* answers, by path."""
    return tuple(Endpoint("POST", path, answer) for path, answer in ENDPOINTS[provider].items())
