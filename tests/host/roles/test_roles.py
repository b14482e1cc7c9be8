"""One request at the roles of one policy: each does its part, and believes only its like."""

import json

import pytest

from headrace.extensions.handover import HANDED
from headrace.extensions.headers import Headers
from headrace.extensions.records import RuleError
from headrace.host.exchange.part import BodyMode, Chunk, Direction, Head, Modes
from headrace.host.exchange.reply import ImmediateReply
from headrace.host.extproc.opening import Opening
from headrace.host.roles.plans import REPLY_BYTES_MAX, RoleMisfit, cautions
from headrace.host.telemetry.metrics import Metrics
from headrace.host.telemetry.summary import summarise
from tests.host.roles.house import (
    BASIC,
    CALL,
    FIRST,
    NOW_S,
    POLICY,
    SECOND,
    House,
    Said,
    role,
)

DESTINATION = "x-gateway-destination-endpoint"
ALL = ("route", "traffic", "picker")


def errors(said: Said) -> list[RuleError]:
    assert said.outcome is not None
    records = [record for run in said.outcome.runs for record in run.records]
    return [record for record in records if isinstance(record, RuleError)]


def test_the_picker_takes_the_route_from_the_role_that_routes() -> None:
    house = House(*ALL)
    routed = house.ask("route").changes
    # The body that goes on asks for what the server calls it, which is no model of the policy.
    passed = house.ask("traffic", routed, model="google/gemma").changes
    picked = house.ask("picker", routed, model="google/gemma")

    assert routed["x-headrace-pool"] == "gemma"
    assert routed["x-gateway-model-name"] == "chatbot"
    assert HANDED not in passed
    assert picked.changes[DESTINATION] == FIRST
    assert picked.changes[HANDED] == ""
    assert picked.outcome is not None
    assert picked.outcome.request.route is not None
    assert picked.outcome.request.route.priority == 10


def test_what_the_role_that_routes_says_of_a_model_the_picker_says_again() -> None:
    pool = f'pool gemma {{ endpoints "{FIRST}"  adapters up to 4 }}'
    tuned = POLICY.replace(f'pool gemma {{ endpoints "{FIRST}" }}', pool)
    house = House(*ALL, policy=tuned + "model tuned { adapter of gemma }\n")
    routed = house.ask("route", model="tuned").changes
    picked = house.ask("picker", routed, model="tuned").changes
    alone = House("picker", policy=tuned + "model tuned { adapter of gemma }\n")
    said = ("x-headrace-pool", "x-gateway-model-name", "x-gateway-base-model-name")

    for name in said:
        # What is as it came needs no change.
        assert picked.get(name, routed.get(name)) == alone.ask("picker", model="tuned").changes.get(
            name
        )


def test_without_a_role_before_the_picker_routes_by_itself() -> None:
    picked = House("picker").ask("picker")

    assert picked.changes[DESTINATION] == FIRST
    assert picked.changes["x-gateway-model-name"] == "chatbot"


@pytest.mark.parametrize("listener", ["traffic", "picker"])
def test_what_a_client_writes_in_place_of_a_role_is_removed_and_counted(listener: str) -> None:
    forged = {HANDED: "AAAA", "x-headrace-pool": "fresh", "x-gateway-model-name": "other"}
    said = House(*ALL).ask(listener, forged)

    assert errors(said) == [RuleError(HANDED, "forged")]
    assert said.changes[HANDED] == ""
    assert said.changes.get("x-headrace-pool") in ("", "gemma")


def test_a_process_with_another_key_does_not_believe_it() -> None:
    routed = House(*ALL, key=b"a" * 32).ask("route").changes
    said = House(*ALL, key=b"b" * 32).ask("picker", routed)

    assert errors(said) == [RuleError(HANDED, "forged")]
    assert said.changes[DESTINATION] == FIRST


def test_a_route_to_a_pool_that_another_policy_has_is_not_followed() -> None:
    routed = House(*ALL).ask("route").changes
    other = POLICY.replace("gemma {", "gemini {").replace("route gemma", "route gemini")
    said = House("picker", policy=other).ask("picker", routed)

    assert errors(said) == [RuleError(HANDED, "unknown")]
    assert said.changes["x-headrace-pool"] == "gemini"


def test_a_pool_that_the_gateway_has_chosen_is_kept_to() -> None:
    house = House("route", "picker@gemma", "picker@fresh")
    routed = house.ask("route").changes

    for listener, endpoint in (("picker@gemma", FIRST), ("picker@fresh", SECOND)):
        said = house.ask(listener, routed, model="google/gemma", chain="picker")
        assert said.changes[DESTINATION] == endpoint
        assert said.outcome is not None
        assert said.outcome.request.route is not None
        assert said.outcome.request.route.pool == listener.partition("@")[2]


def test_a_picker_without_a_router_picks_of_its_pool() -> None:
    alone = f"{POLICY}\nchain picker {{ picker observability }}"
    said = House("picker@fresh", policy=alone).ask("picker@fresh", chain="picker", model="x")

    assert said.changes[DESTINATION] == SECOND
    assert said.outcome is not None
    assert said.outcome.request.route is not None
    assert said.outcome.request.route.profile == "quick"


def test_the_policys_own_chain_goes_before_the_built_in_one() -> None:
    own = f"{POLICY}\nchain route {{ observability }}"

    assert "x-headrace-pool" not in House("route", policy=own).ask("route").changes


def test_a_request_counts_once_however_many_roles_it_passes() -> None:
    house = House(*ALL)
    routed = house.ask("route")
    both = [
        house.ask(listener, routed.changes, model="google/gemma")
        for listener in ("traffic", "picker")
    ]
    refused = house.ask("route", model="nobody")

    assert refused.answer.status == 404
    assert requests(routed, *both, refused) == {
        ("chatbot", "gemma", ""): 1.0,
        ("other", "", "unknown-model"): 1.0,
    }


@pytest.mark.parametrize("listener", ALL)
def test_an_answer_whose_request_another_role_has_refused_is_not_counted(listener: str) -> None:
    house = House(*ALL)
    exchange = house.generation.open(Opening(chain=listener, listener=listener), NOW_S)
    head = Headers(((":status", "404"),))
    replies = exchange.receive(Head(Direction.RESPONSE, head, True), NOW_S)
    exchange.end("complete", NOW_S)
    (outcome,) = house.heard

    assert [type(one).__name__ for one in replies] == ["HeadersReply"]
    assert outcome.status == 404
    assert requests(Said(replies, outcome)) == {}


def test_without_a_picker_among_its_roles_a_host_counts_what_it_passes_on() -> None:
    said = House("route").ask("route")

    assert requests(said) == {("chatbot", "gemma", ""): 1.0}


def requests(*told: Said) -> dict[tuple[str, str, str], float]:
    """Return what `headrace_requests_total` says of the exchanges."""
    metrics = Metrics()
    for said in told:
        assert said.outcome is not None
        metrics.observe(said.outcome, summarise(said.outcome))
    found = [f for f in metrics.registry.collect() if f.name == "headrace_requests"]
    return {
        (s.labels["model"], s.labels["pool"], s.labels["reason"]): s.value
        for family in found
        for s in family.samples
        if s.name.endswith("_total")
    }


def test_a_chain_that_no_role_has_is_refused_by_name() -> None:
    said = House("route").ask("route", chain="secret")

    assert said.answer.status >= 400
    assert b"no chain `secret`" in said.answer.body


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("night", "the policy has no chain `night`: add `chain night { ... }`"),
        ("picker@gemini", "the policy has no pool `gemini`; it has `gemma`, `fresh`"),
    ],
)
def test_a_role_that_the_policy_cannot_play_is_told(name: str, says: str) -> None:
    with pytest.raises(RoleMisfit) as error:
        House(name)

    assert says in str(error.value)


def test_a_wait_that_the_gateway_would_not_wait_for_is_told() -> None:
    waiting = POLICY.replace('"10.0.0.1:8000" }', '"10.0.0.1:8000"  wait up to 5s for endpoints }')
    program = House(policy=waiting).generation.program

    def told(timeout_s: float, *names: str, shares_key: bool = True) -> list[str]:
        roles = tuple(role(name, timeout_s) for name in names or ALL)
        return [line[:40] for line in cautions(program, roles, shares_key=shares_key)]

    assert told(10.0) == []
    assert told(1.0) == ["the policy lets requests wait for 5 s, a"]
    assert told(1.0, "route") == []
    assert told(10.0, shares_key=False) == ["without --session-key-file a route is kn"]
    assert told(10.0, "picker", shares_key=False) == []


def test_an_answer_too_large_for_the_gateway_is_told_instead() -> None:
    models = "".join(f'model "{"m" * 190}{at}" {{ route gemma }}\n' for at in range(600))
    house = House("route", policy=POLICY + models)
    said = house.ask("route", {":method": "GET", ":path": "/v1/models"}, body=b"")
    plain = house.generation.open(Opening(), NOW_S)
    head = Headers(((":method", "GET"), (":path", "/v1/models")))
    (whole,) = plain.receive(Head(Direction.REQUEST, head, True), NOW_S)

    assert isinstance(whole, ImmediateReply)
    assert len(whole.body) > REPLY_BYTES_MAX
    assert said.answer.status >= 500
    assert b"more than the gateway takes" in said.answer.body
    assert len(said.answer.body) < REPLY_BYTES_MAX


@pytest.mark.parametrize(("size", "refused"), [(1000, False), (REPLY_BYTES_MAX, True)])
def test_a_changed_body_that_must_go_on_in_one_reply_is_bounded(size: int, refused: bool) -> None:
    pad = {"model": "chatbot", "messages": [{"role": "user", "content": "x" * size}]}
    body, house = json.dumps(pad).encode(), House("route")
    buffered = Modes(BodyMode.BUFFERED, BodyMode.NONE)
    duplex = house.ask("route", body=body)
    said = house.ask("route", modes=buffered, body=body)
    answers = [one for one in said.outputs if isinstance(one, ImmediateReply)]

    assert not [one for one in duplex.outputs if isinstance(one, ImmediateReply)]
    assert bool(answers) == refused
    assert all(b"a reply takes at most 131072 bytes" in one.body for one in answers)


def test_a_stage_that_takes_longer_than_the_gateway_waits_is_cut_short() -> None:
    slow = POLICY.replace(f'"{FIRST}"', f'"{FIRST}"  wait up to 5s for endpoints')
    house = House("picker", policy=slow, timeout_s=0.5, known=False)
    opening = Opening(chain="picker", listener="picker")
    exchange = house.generation.open(opening, NOW_S)
    exchange.receive(Head(Direction.REQUEST, Headers(tuple(BASIC.items())), False), NOW_S)
    waits = exchange.receive(Chunk(Direction.REQUEST, CALL, True), NOW_S)
    due_s = exchange.deadline()

    assert [type(one).__name__ for one in waits] == ["Perform"]
    assert due_s == NOW_S + 0.4
    said = Said(exchange.expire(NOW_S + 0.4), None)
    assert said.answer.status == 503
