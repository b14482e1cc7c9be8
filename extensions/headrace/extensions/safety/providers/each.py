"""A provider that is asked for each text on its own: most judge one thing at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field

from headrace.extensions.call import Text
from headrace.extensions.safety.contract import (
    Asked,
    Http,
    Judged,
    Judging,
    Reach,
    Verdict,
)
from headrace.extensions.safety.providers.asking import Replied, ask_all, combined

AT_ONCE_MAX = 16  # texts of one question: so many calls begin together


@dataclass(frozen=True, slots=True)
class Single:
    """One text to be judged: which of the texts of *asked* it is."""

    asked: Asked
    at: int

    @property
    def text(self) -> Text:
        return self.asked.texts[self.at]


@dataclass(frozen=True, slots=True)
class Each:
    """Asks one call per text, all at the same time.

    ask    the request about one text
    judge  what the reply to it means
    """

    name: str
    reach: Reach
    ask: Callable[[Single], Http] = field(repr=False)
    judge: Callable[[Replied, Single], Judged] = field(repr=False)

    def screen(self, asked: Asked) -> Judging:
        """Return the verdict on *asked*; without texts nothing is sent."""
        return self._screen(asked) if asked.texts else Verdict()

    async def _screen(self, asked: Asked) -> Judged:
        singles = [Single(asked, at) for at in range(len(asked.texts))]
        replies = await ask_all([self.ask(single) for single in singles])
        return combined(
            [self.judge(reply, one) for reply, one in zip(replies, singles, strict=True)]
        )


def messages_of(single: Single) -> list[dict[str, str]]:
    """Return the text as the last message of a chat; an answer stands behind its question."""
    asked, text = single.asked, single.text
    if asked.direction.value == "prompt":
        return [{"role": "user", "content": text.text}]
    prompt = [said.text for said in asked.context.conversation if said.role == "user"]
    question = [{"role": "user", "content": prompt[-1]}] if prompt else []
    return [*question, {"role": "assistant", "content": text.text}]
