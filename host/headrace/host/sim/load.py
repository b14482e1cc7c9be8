"""A planned open-loop load: who asks what, and when, as a function of a seed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from headrace.host.sim.chance import Chance, Splitmix, exponential, pick
from headrace.host.sim.prose import Prose


@dataclass(frozen=True, slots=True)
class PromptFamily:
    """Prompts that share one of *documents* system texts and differ in the question.

    Requests of the same document share *shared_tokens* tokens; *question_tokens* follow.
    """

    name: str
    documents: int
    shared_tokens: int
    question_tokens: int
    weight: float = 1.0

    def __post_init__(self) -> None:
        assert self.documents > 0, self.documents
        assert self.question_tokens > 0, self.question_tokens
        assert self.weight > 0, self.weight


@dataclass(frozen=True, slots=True)
class OutputLength:
    """Tokens to ask for: exponential with about *mean*, never outside *least* .. *most*."""

    mean: int
    least: int = 1
    most: int = 1024

    def __post_init__(self) -> None:
        assert 0 < self.least <= self.mean <= self.most, (self.least, self.mean, self.most)

    def draw(self, chance: Chance) -> int:
        """Return one length."""
        extra = exponential(self.mean - self.least, chance)
        return min(self.most, self.least + int(extra))


@dataclass(frozen=True, slots=True)
class WorkloadClass:
    """One kind of client: the model and headers it sends, and how its prompts look."""

    name: str
    model: str
    families: tuple[PromptFamily, ...]
    output: OutputLength
    weight: float = 1.0
    headers: tuple[tuple[str, str], ...] = ()
    stream: bool = True

    def __post_init__(self) -> None:
        assert self.families, self.name
        assert self.weight > 0, self.weight


@dataclass(frozen=True, slots=True)
class Workload:
    """A mix of *classes* that together send *rate_per_s* requests a second, at random times."""

    classes: tuple[WorkloadClass, ...]
    rate_per_s: float

    def __post_init__(self) -> None:
        assert self.classes
        assert self.rate_per_s > 0, self.rate_per_s


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user"]
    content: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """One chat request, to be sent *send_s* seconds after the start whatever became of others."""

    number: int
    send_s: float
    workload_class: str
    family: str
    model: str
    headers: tuple[tuple[str, str], ...]
    messages: tuple[Message, ...]
    max_tokens: int
    stream: bool

    def body(self) -> dict[str, object]:
        """Return the JSON body of the request; a streamed one asks for its usage."""
        messages = [{"role": m.role, "content": m.content} for m in self.messages]
        body: dict[str, object] = {
            "model": self.model,
            "messages": messages,
            "max_tokens": self.max_tokens,
        }
        if self.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body


def plan(workload: Workload, seed: int) -> Iterator[PlannedRequest]:
    """Yield requests without end, in order of `send_s`; equal seeds give equal requests."""
    chance = Splitmix(seed)
    prose = Prose()
    weights = [one.weight for one in workload.classes]
    send_s = 0.0
    number = 0
    while True:
        send_s += exponential(1 / workload.rate_per_s, chance)
        chosen = workload.classes[pick(weights, chance)]
        family = chosen.families[pick([f.weight for f in chosen.families], chance)]
        yield PlannedRequest(
            number=number,
            send_s=send_s,
            workload_class=chosen.name,
            family=family.name,
            model=chosen.model,
            headers=chosen.headers,
            messages=_messages(family, number, chance, prose),
            max_tokens=chosen.output.draw(chance),
            stream=chosen.stream,
        )
        number += 1


def _messages(
    family: PromptFamily, number: int, chance: Chance, prose: Prose
) -> tuple[Message, ...]:
    """Return a system text of *family* and a question that no other request asks."""
    document = int(chance.uniform() * family.documents)
    entry = int(chance.uniform() * 2**32)
    question = f"Question {number}: " + _text(prose, entry, family.question_tokens)
    user = Message("user", question)
    if not family.shared_tokens:
        return (user,)
    shared = f"{family.name} {document}: " + _text(prose, document, family.shared_tokens)
    return (Message("system", shared), user)


def _text(prose: Prose, seed: int, tokens: int) -> str:
    return "".join(prose.continue_from(seed, tokens))
