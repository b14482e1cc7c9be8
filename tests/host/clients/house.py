"""Guards that ask stand-ins over loopback, and what they are told."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from headrace.dsl.compiled import Rule
from headrace.dsl.guarding import AnswerRule, Guard, OnMatch, Provision
from headrace.extensions.call import Text
from headrace.extensions.safety.contract import Asked, Context, Direction, Judged, Judging
from headrace.extensions.safety.providers import remote
from headrace.host.clients.clients import Clients
from headrace.host.standins.armor import Armor
from headrace.host.standins.armor_rest import endpoints as armor_endpoints
from headrace.host.standins.faults import Fault
from headrace.host.standins.others import endpoints
from headrace.host.standins.server import StandIn
from tests.extensions.body_router.policies import span

TEMPLATE = "projects/acme/locations/europe-west4/templates/chat"
SECRET = "hunter2-planted-secret"
ENVIRONMENT = {"TOKEN": SECRET}
T = TypeVar("T")
Values = tuple[tuple[str | float, str], ...]


def one(*values: str | float) -> Values:
    """Return *values* as settings that are for nothing in particular."""
    return tuple((value, "") for value in values)


def field_of(name: str) -> AnswerRule:
    """Return the rule that reads one field of the answer."""

    def read(answer: Any) -> object:
        return answer[name]

    return AnswerRule(Rule(name, span()), read)


@dataclass(frozen=True, slots=True)
class House:
    """How one provider is set up: its policy's part, and the path behind the server's URL."""

    provider: str
    settings: Mapping[str, Values] = field(default_factory=dict[str, Values])
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    rules: Mapping[str, AnswerRule] = field(default_factory=dict[str, AnswerRule])
    path: str = ""

    def guard(self, url: str) -> Guard:
        """Return the guard that asks the server at *url*."""
        settings = dict(self.settings)
        if self.provider == "presidio" and "anonymizer" in settings:
            settings["anonymizer"] = one(url)
        ask = Provision(
            self.provider, url + self.path, settings, secrets=self.secrets, rules=self.rules
        )
        return Guard("armour", span(), ask=ask, timeout_s=5.0, on_match=OnMatch.REDACT)

    def stand_in(self) -> StandIn:
        """Return the server that answers it."""
        if self.provider != "model_armor":
            return StandIn(endpoints(self.provider))
        armor = Armor(frozenset({SECRET}) if self.secrets else frozenset())
        armor.put(TEMPLATE)
        return StandIn(armor_endpoints(armor))


TOKEN = {"authorization": "TOKEN"}
HOUSES = {
    "model_armor": House("model_armor", {"template": one(TEMPLATE)}),
    "nemo": House("nemo", {"config": one("chat")}),
    "llama_guard": House("llama_guard", {"model": one("guard")}),
    "presidio": House("presidio"),
    "lakera": House("lakera", secrets=TOKEN),
    "openai_moderation": House("openai_moderation", secrets=TOKEN),
    "guardrails_ai": House("guardrails_ai", {"guard": one("plain")}),
    "http": House(
        "http",
        rules={name: field_of(of) for name, of in
               (("match", "flagged"), ("category", "label"), ("text", "clean"))},
        path="/check",
    ),
}  # fmt: skip


def prompt(*texts: str, model: str = "m", streamed: bool = False) -> Asked:
    """Return the question about *texts* of a prompt."""
    said = tuple(Text("user", text) for text in texts)
    return Asked(Direction.PROMPT, said, Context(model, "r-1"), streamed)


def response(*texts: str, question: str = "") -> Asked:
    """Return the question about *texts* of an answer to *question*."""
    said = tuple(Text("assistant", text) for text in texts)
    conversation = (Text("user", question),) if question else ()
    return Asked(Direction.RESPONSE, said, Context("m", "r-1", conversation))


async def performed(clients: Clients, judging: Judging) -> Judged:
    """Perform what *judging* awaits, as the host does, and return the verdict."""
    if not isinstance(judging, Coroutine):
        return judging
    reply: object = None
    while True:
        try:
            effect = judging.send(reply)
        except StopIteration as end:
            verdict: Judged = end.value
            return verdict
        reply = await clients.performers[type(effect)](effect)


def run(whole: Callable[[], Coroutine[Any, Any, T]], within_s: float = 30.0) -> T:
    """Run *whole* in a loop of its own; what is left over is an error."""

    async def bounded() -> T:
        async with asyncio.timeout(within_s):
            return await whole()

    return asyncio.run(bounded())


def told(
    house: House,
    asked: Asked,
    faults: Sequence[Fault | None] = (),
    change: Callable[[Guard], Guard] = lambda guard: guard,
) -> Judged:
    """Return what the stand-in of *house* makes the guard say, under *faults*."""

    async def whole() -> Judged:
        async with house.stand_in() as server, Clients(ENVIRONMENT) as clients:
            server.script.add(faults)
            provider = remote(change(house.guard(server.url)))
            return await performed(clients, provider.screen(asked))

    return run(whole)


def changed(**fields: Any) -> Callable[[Guard], Guard]:
    """Return what gives a guard other *fields*; Any: of any field's type."""
    return lambda guard: replace(guard, **fields)
