"""What stand-ins find in a text: a few patterns where the real services have models."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

LOW, MEDIUM, HIGH = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Mark:
    """Something found: characters [start, end), and how sure it is, from LOW to HIGH."""

    what: str
    start: int
    end: int
    confidence: int = HIGH


def _patterns(*texts: str) -> re.Pattern[str]:
    return re.compile("|".join(texts), re.IGNORECASE)


INJECTIONS = {
    HIGH: _patterns(
        r"\bignore\s+(?:(?:all|any|the|your)\s+)*(?:previous|prior|above|earlier)\s+instructions",
        r"\breveal (?:me )?(?:your|the) (?:system )?prompt",
        r"\byou are now (?:dan|in developer mode)\b",
    ),
    MEDIUM: _patterns(r"\bpretend (?:that )?you (?:are|have) no (?:rules|limits)"),
    LOW: _patterns(r"\bpretend (?:to be|you are)\b"),
}
HARMS: Mapping[str, Mapping[int, re.Pattern[str]]] = {
    "dangerous": {
        HIGH: _patterns(r"\b(?:build|make) a (?:pipe )?bomb\b", r"\bnerve agent\b"),
        MEDIUM: _patterns(r"\bpoison (?:him|her|them|somebody)\b"),
        LOW: _patterns(r"\bexplosives?\b"),
    },
    "harassment": {
        HIGH: _patterns(r"\byou are (?:a )?(?:worthless|disgusting)\b"),
        MEDIUM: _patterns(r"\byou(?: are|'re) an? (?:idiot|moron)\b"),
    },
    "hate_speech": {HIGH: _patterns(r"\ball (?:foreigners|strangers) (?:must|should) die\b")},
    "sexually_explicit": {HIGH: _patterns(r"\bexplicit sex scene\b")},
}
SENSITIVE: Mapping[str, re.Pattern[str]] = {
    "CREDIT_CARD_NUMBER": re.compile(r"\b(?:\d{4}[ -]?){3}\d{4}\b"),
    "US_SOCIAL_SECURITY_NUMBER": re.compile(r"\b\d{3}-\d{2}-\d{4}\b"),
    "FINANCIAL_ACCOUNT_NUMBER": re.compile(r"(?<=account )\d{8,17}\b"),
    "US_INDIVIDUAL_TAXPAYER_IDENTIFICATION_NUMBER": re.compile(r"\b9\d{2}-[7-9]\d-\d{4}\b"),
    "GCP_API_KEY": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "GCP_CREDENTIALS": re.compile(r'"type": ?"service_account"'),
    "EMAIL_ADDRESS": re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}\b"),
    "PHONE_NUMBER": re.compile(r"(?<!\w)\+\d[\d ]{7,16}\d\b"),
    "PERSON": re.compile(r"\b(?:Alice|Bob) [A-Z][a-z]{1,30}\b"),
}
BAD_HOSTS = re.compile(r"https?://(?:[\w-]{1,63}\.){0,4}(?:malware|phishing)\.example[^\s\"<>]*")
# Stands for what nobody may write down, tests included.
ABUSE = re.compile(r"\bheadrace-test-of-abuse-material\b")


def injections(text: str) -> Iterator[Mark]:
    """Yield the attempts at the model's instructions."""
    for confidence, pattern in INJECTIONS.items():
        for match in pattern.finditer(text):
            yield Mark("prompt_injection", *match.span(), confidence)


def harms(text: str, kind: str) -> Iterator[Mark]:
    """Yield the harm of that *kind*, one of `HARMS`."""
    for confidence, pattern in HARMS.get(kind, {}).items():
        for match in pattern.finditer(text):
            yield Mark(kind, *match.span(), confidence)


def sensitive(text: str, kinds: tuple[str, ...] = tuple(SENSITIVE)) -> list[Mark]:
    """Return the personal data of these *kinds*, in the order of the text; none overlap."""
    found = [
        Mark(kind, *match.span()) for kind in kinds for match in SENSITIVE[kind].finditer(text)
    ]
    found.sort(key=lambda mark: (mark.start, -mark.end))
    apart: list[Mark] = []
    for mark in found:
        if not apart or mark.start >= apart[-1].end:
            apart.append(mark)
    return apart


def replaced(text: str, marks: list[Mark], shape: str) -> str:
    """Return *text* with each of *marks* as *shape*, in which `{}` is what it is."""
    pieces: list[str] = []
    at = 0
    for mark in marks:
        pieces += [text[at : mark.start], shape.format(mark.what)]
        at = mark.end
    return "".join([*pieces, text[at:]])
