"""Presidio: finds personal data and says where it stands.

Source: `POST /analyze` of presidio-analyzer and `POST /anonymize` of presidio-anonymizer.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Struct, structs

from headrace.dsl.guarding import Guard
from headrace.extensions.safety.contract import (
    Asked,
    Hit,
    Http,
    Judged,
    Judging,
    Provider,
    Reach,
    Trouble,
    Verdict,
)
from headrace.extensions.safety.providers.asking import (
    Caller,
    Replied,
    ask_all,
    caller,
    combined,
    failed,
    read,
    word,
)
from headrace.extensions.safety.providers.each import AT_ONCE_MAX
from headrace.extensions.safety.providers.settings import Settings

SCORE = 0.5  # how sure it must be if the policy does not say
REACH = Reach(chars_max=100_000, texts_max=AT_ONCE_MAX, locates=True)


class Entity(Struct):
    """One finding: characters [start, end) of the text."""

    entity_type: str
    start: int
    end: int
    score: float = 1.0


class Anonymized(Struct):
    """The text without what was found."""

    text: str


@dataclass(frozen=True, slots=True)
class Presidio:
    """Asks the analyzer, and the anonymizer if there is one, about each text.

    anonymizer  makes its requests; None: what is found is replaced by its entity's name
    settings    of every question to the analyzer
    """

    analyzer: Caller
    anonymizer: Caller | None
    settings: Mapping[str, object]
    name: str = "presidio"
    reach: Reach = REACH

    def screen(self, asked: Asked) -> Judging:
        """Return where *asked* has personal data."""
        return self._screen([text.text for text in asked.texts]) if asked.texts else Verdict()

    async def _screen(self, texts: list[str]) -> Judged:
        replies = await ask_all([self._analyze(text) for text in texts])
        parts = [_read(reply, texts[at], at) for at, reply in enumerate(replies)]
        verdict = combined([part.verdict for part in parts])
        found = [part for part in parts if part.entities]
        if self.anonymizer is None or not found or isinstance(verdict, Trouble):
            return verdict
        replies = await ask_all([_anonymize(self.anonymizer, part) for part in found])
        answers = [read(reply, Anonymized) for reply in replies]
        rewritten = {
            part.at: answer.text
            for part, answer in zip(found, answers, strict=True)
            if isinstance(answer, Anonymized)  # else: where it is, is known, which is enough
        }
        return structs.replace(verdict, rewritten=rewritten)

    def _analyze(self, text: str) -> Http:
        return self.analyzer.post("/analyze", {"text": text, **self.settings})


def presidio(guard: Guard) -> Provider:
    """Return the provider that asks the analyzer, and the anonymizer if *guard* names one."""
    settings, analyzer = Settings(guard), caller(guard)
    score = settings.number("score")
    asked: dict[str, object] = {
        "language": settings.text("language", "en"),
        "score_threshold": SCORE if score is None else score,
    }
    if entities := settings.texts("entities"):
        asked["entities"] = list(entities)
    where = settings.text("anonymizer", "").rstrip("/")
    anonymizer = (
        Caller(guard.name, where, timeout_s=analyzer.timeout_s, at_once=analyzer.at_once)
        if where
        else None
    )
    return Presidio(analyzer, anonymizer, asked)


class _Analyzed(Struct, frozen=True):
    """What the analyzer says of one text."""

    at: int
    text: str
    entities: list[Entity]
    verdict: Judged


def _read(reply: Replied, text: str, at: int) -> _Analyzed:
    entities = read(reply, list[Entity])
    if isinstance(entities, Trouble):
        return _Analyzed(at, text, [], entities)
    if any(not 0 <= found.start < found.end <= len(text) for found in entities):
        return _Analyzed(at, text, [], failed("a finding is outside the text"))
    return _Analyzed(at, text, entities, Verdict(tuple(_hit(found, at) for found in entities)))


def _anonymize(anonymizer: Caller, part: _Analyzed) -> Http:
    return anonymizer.post("/anonymize", {"text": part.text, "analyzer_results": part.entities})


def _hit(found: Entity, at: int) -> Hit:
    name = word(found.entity_type)
    return Hit(name, at, found.start, found.end, f"<{name}>")
