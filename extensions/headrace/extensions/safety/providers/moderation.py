"""OpenAI's moderation API, and what speaks it: categories with scores.

Source: `POST /v1/moderations`.
"""

from dataclasses import dataclass, field

from msgspec import Struct

from headrace.dsl.guarding import Guard
from headrace.extensions.safety.contract import (
    Asked,
    Hit,
    Judged,
    Judging,
    Provider,
    Reach,
    Trouble,
    Verdict,
)
from headrace.extensions.safety.providers.asking import Caller, caller, failed, read, word
from headrace.extensions.safety.providers.settings import Settings

URL = "https://api.openai.com"
REACH = Reach(chars_max=100_000, texts_max=32)


class Moderated(Struct):
    """What it says of one text. A category that does not apply may be null."""

    flagged: bool
    categories: dict[str, bool | None] = {}
    category_scores: dict[str, float | None] = {}


class Moderation(Struct):
    """The answer: a result per text."""

    results: list[Moderated]


@dataclass(frozen=True, slots=True)
class Moderator:
    """Asks about all texts in one call.

    above  category -> the score from which on it counts, "" for the others; empty: as it is flagged
    """

    http: Caller
    model: str
    above: dict[str, float] = field(default_factory=dict[str, float])
    name: str = "openai_moderation"
    reach: Reach = REACH

    def screen(self, asked: Asked) -> Judging:
        """Return the categories that *asked* falls into."""
        return self._screen(asked) if asked.texts else Verdict()

    async def _screen(self, asked: Asked) -> Judged:
        texts = [text.text for text in asked.texts]
        body = {"model": self.model, "input": texts}
        answer = read(await self.http.post("/v1/moderations", body), Moderation)
        if isinstance(answer, Trouble):
            return answer
        if len(answer.results) != len(texts):
            return failed(f"{len(answer.results)} results for {len(texts)} texts")
        found = [
            Hit(category, at)
            for at, result in enumerate(answer.results)
            for category in self._categories(result)
        ]
        return Verdict(tuple(found))

    def _categories(self, result: Moderated) -> list[str]:
        if not self.above:
            said = [word(name) for name, applies in result.categories.items() if applies]
            return said or (["flagged"] if result.flagged else [])
        found: list[str] = []
        for name, score in result.category_scores.items():
            limit = self.above.get(name, self.above.get(""))
            applies = result.categories.get(name) if limit is None else (score or 0.0) >= limit
            if applies:
                found.append(word(name))
        if result.flagged and not result.category_scores:  # no scores to go by
            found.append("flagged")
        return found


def openai_moderation(guard: Guard) -> Provider:
    """Return the provider that asks the moderation API."""
    settings, http = Settings(guard), caller(guard, URL, bearer=True)
    model = settings.text("model", "omni-moderation-latest")
    return Moderator(http, model, settings.numbers("above"))
