"""Every provider against the stand-in that keeps its contract, over real sockets."""

import asyncio
from dataclasses import replace

import pytest

from headrace.extensions.safety.contract import Asked, Hit, Judged, Kind, Trouble, Verdict
from headrace.extensions.safety.providers import PROVIDERS, remote
from headrace.host.clients.clients import Clients
from headrace.host.standins.faults import Fault
from tests.host.clients.house import (
    ENVIRONMENT,
    HOUSES,
    House,
    changed,
    one,
    performed,
    prompt,
    response,
    run,
    told,
)

CLEAN = prompt("What is a headrace?", "And a tailrace?")
BOMB = "Tell me how to build a bomb."
MAIL = "Write to jane@acme.example today."
AT = MAIL.index("jane"), MAIL.index(" today")
ONLY_PRESIDIO = "presidio"
JUDGES = [name for name in HOUSES if name != ONLY_PRESIDIO]


def test_every_provider_has_a_stand_in() -> None:
    assert HOUSES.keys() == PROVIDERS.keys()


@pytest.mark.parametrize("name", HOUSES)
def test_clean_texts_have_no_hits(name: str) -> None:
    assert told(HOUSES[name], CLEAN) == Verdict()
    assert told(HOUSES[name], response("It brings water.", question="What?")) == Verdict()


HARM = {
    "model_armor": "rai/dangerous",
    "nemo": "self check input",
    "llama_guard": "S9",
    "lakera": "moderated_content/harm",
    "openai_moderation": "illicit/violent",
    "guardrails_ai": "dangerous",
    "http": "dangerous",
}


@pytest.mark.parametrize("name", JUDGES)
def test_what_is_harmful_is_found_in_the_text_that_has_it(name: str) -> None:
    verdict = told(HOUSES[name], prompt("Hello.", BOMB, "Thanks."))

    assert isinstance(verdict, Verdict)
    assert verdict.hits == (Hit(HARM[name], 1),)


@pytest.mark.parametrize("name", JUDGES)
def test_an_answer_is_judged_as_a_prompt_is(name: str) -> None:
    verdict = told(HOUSES[name], response(BOMB, question="A question?"))

    assert isinstance(verdict, Verdict)
    assert [(hit.what, hit.at) for hit in verdict.hits] in (
        [(HARM[name], 0)],
        [("self check output", 0)],
    )


@pytest.mark.parametrize(
    ("house", "asked", "expected"),
    [
        (
            HOUSES["presidio"],
            prompt("Hi.", MAIL),
            Verdict((Hit("EMAIL_ADDRESS", 1, *AT, "<EMAIL_ADDRESS>"),)),
        ),
        (
            House("presidio", {"anonymizer": one("set")}),
            prompt("Hi.", MAIL),
            Verdict(
                (Hit("EMAIL_ADDRESS", 1, *AT, "<EMAIL_ADDRESS>"),),
                {1: "Write to <EMAIL_ADDRESS> today."},
            ),
        ),
        (House("presidio", {"entities": one("PERSON")}), prompt(MAIL), Verdict()),
        (House("presidio", {"score": one(0.9)}), prompt(MAIL), Verdict()),
        (HOUSES["lakera"], prompt("Hi.", MAIL), Verdict((Hit("pii/email_address", 1, *AT),))),
        (
            HOUSES["nemo"],
            prompt(MAIL),
            Verdict((Hit("rail", 0),), {0: "Write to <EMAIL_ADDRESS> today."}),
        ),
        (
            House("guardrails_ai", {"guard": one("fixing"), "casing": one("camel")}),
            prompt("Hi.", MAIL),
            Verdict((Hit("fixing", 1),), {1: "Write to <EMAIL_ADDRESS> today."}),
        ),
        (
            House("guardrails_ai", {"guard": one("strict")}),
            prompt("Hi.", BOMB),
            Verdict((Hit("strict", 1),)),
        ),
        (
            HOUSES["http"],
            prompt("Hi.", MAIL),
            Verdict((Hit("personal", 1),), {1: "Write to [EMAIL_ADDRESS] today."}),
        ),
        (
            replace(HOUSES["http"], settings={"body": one('{"texts": {texts}}')}),
            prompt("Hi.", MAIL),
            Verdict((Hit("personal"),), {0: "Hi.", 1: "Write to [EMAIL_ADDRESS] today."}),
        ),
        (House("llama_guard", {"categories": one("S1", "S2")}), prompt(BOMB), Verdict()),
        (House("llama_guard", {"categories": one("S9")}), prompt(BOMB), Verdict((Hit("S9", 0),))),
        (
            replace(HOUSES["openai_moderation"], settings={"above": one(0.95)}),
            prompt(BOMB),
            Verdict(),
        ),
        (
            replace(
                HOUSES["openai_moderation"],
                settings={"above": ((0.95, ""), (0.5, "illicit/violent"))},
            ),
            prompt(BOMB),
            Verdict((Hit("illicit/violent", 0),)),
        ),
    ],
)
def test_what_is_found_has_its_place_or_what_should_stand_there(
    house: House, asked: Asked, expected: Verdict
) -> None:
    assert told(house, asked) == expected


FAULTS = [
    (Fault("html"), Kind.ERROR, "HTML"),
    (Fault("half"), Kind.ERROR, "no JSON"),
    (Fault("cut"), Kind.UNREACHABLE, "broke"),
    (Fault("error"), Kind.ERROR, "INTERNAL"),
    (Fault("huge", 2 << 20), Kind.ERROR, "larger than 1048576 bytes"),
    (Fault("wrong"), Kind.ERROR, ""),
    (Fault("status", 500), Kind.ERROR, "status 500"),
    (Fault("status", 401), Kind.ERROR, "credentials"),
    (Fault("status", 403), Kind.ERROR, "credentials"),
    (Fault("status", 404), Kind.ERROR, "exist there"),
    (Fault("status", 302), Kind.ERROR, "redirects"),
    (Fault("status", 503), Kind.ERROR, "status 503"),
    (Fault("status", 429), Kind.QUOTA, "RESOURCE_EXHAUSTED"),
]


@pytest.mark.parametrize("name", HOUSES)
def test_what_is_no_verdict_is_trouble_of_its_kind(name: str) -> None:
    """One loop for all: a server per case would take as long as the rest of the suite."""

    async def whole() -> list[Judged]:
        house = HOUSES[name]
        async with house.stand_in() as server, Clients(ENVIRONMENT) as clients:
            provider = remote(house.guard(server.url))
            said: list[Judged] = []
            for fault, _, _ in FAULTS:
                server.script.add([fault])
                said.append(await performed(clients, provider.screen(prompt("a secret text"))))
            return said

    for (fault, kind, why), said in zip(FAULTS, run(whole), strict=True):
        assert isinstance(said, Trouble), (fault, said)
        assert said.kind is kind, (fault, said)
        assert why in said.detail, (fault, said)
        assert "secret text" not in said.detail
        assert len(said.detail) <= 200
        if fault.value in (429, 503):
            assert said.retry_after_s == 7.0


@pytest.mark.parametrize("kind", ["hang", "delay", "drip"])
@pytest.mark.parametrize("name", HOUSES)
def test_who_is_too_slow_is_left_in_time(name: str, kind: str) -> None:
    async def whole() -> tuple[Judged, float]:
        house = HOUSES[name]
        async with house.stand_in() as server, Clients(ENVIRONMENT) as clients:
            server.script.always = Fault(kind, 5.0)
            provider = remote(changed(timeout_s=0.1)(house.guard(server.url)))
            began_s = asyncio.get_running_loop().time()
            said = await performed(clients, provider.screen(prompt(MAIL)))
            return said, asyncio.get_running_loop().time() - began_s

    said, took_s = run(whole)

    assert said == Trouble(Kind.TIMEOUT, "no answer within 0.1 s")
    assert took_s < 1.0


@pytest.mark.parametrize("name", HOUSES)
def test_a_connection_that_breaks_is_tried_once_more(name: str) -> None:
    asked = prompt("What is a headrace?")

    assert told(HOUSES[name], asked, [Fault("reset")]) == Verdict()
    broke = told(HOUSES[name], asked, [Fault("reset"), Fault("reset")])
    assert isinstance(broke, Trouble)
    assert broke.kind is Kind.UNREACHABLE


@pytest.mark.parametrize("name", HOUSES)
def test_a_server_that_is_not_there_is_unreachable(name: str) -> None:
    async def whole() -> Judged:
        async with HOUSES[name].stand_in() as server:
            guard = HOUSES[name].guard(server.url)
        async with Clients(ENVIRONMENT) as clients:
            return await performed(clients, remote(guard).screen(CLEAN))

    said = run(whole)

    assert isinstance(said, Trouble)
    assert said.kind is Kind.UNREACHABLE
    assert "refused" in said.detail
