"""`now` and `model.*` in every place that knows them, from the policy's text to the answer."""

import json
from time import monotonic

import pytest

from headrace.dsl.cel.values import Timestamp
from headrace.dsl.policy import compile_policy
from headrace.dsl.problems.diagnostic import PolicyError
from headrace.dsl.source import Source
from headrace.dsl.unperformed import unperformed
from headrace.extensions.headers import Headers
from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.store import Store
from headrace.extensions.records import Routing, RuleError
from headrace.extensions.registry import Site
from headrace.extensions.stage import Outcome
from headrace.extensions.values import ModelFacts
from headrace.host.afterwards import request_of
from headrace.host.exchange.part import Chunk, Direction, Head
from headrace.host.extproc.opening import Opening
from headrace.host.generation import build_generation

# 2026-11-22T09:00:00Z is when the monotonic clock shows 1000.
EPOCH_S = 1_795_338_000.0 - 1000.0
FIRST, SECOND = "10.0.0.1:8000", "10.0.0.2:8000"
POLICY = """sched 1
pool p {{ endpoints "{first}", "{second}" }}
model chatbot {{ priority 10  objective ttft p95 < 400ms  route p }}
model plain {{ route p }}
model "tuned-*" {{ priority 3  route p }}
profile default {{ score 1 * free  pick max }}
profile other {{ score 1 * taken  pick max }}
scorer free = endpoint.name == "{first}" ? 1.0 : 0.0
scorer taken = endpoint.name == "{first}" ? 0.0 : 1.0
{more}
"""


def outcome(more: str, model: str = "chatbot", epoch_s: float = EPOCH_S) -> Outcome:
    """Return what comes of a call for *model*, by the policy with *more* in it."""
    now_s = 1000.0
    text = POLICY.format(first=FIRST, second=SECOND, more=more)
    program = compile_policy([Source("t.sched", text)])
    store = Store.for_program(program)
    for address in (FIRST, SECOND):
        store.scraped("p", address, ServerFacts(0, 0, 0.0), now_s)
    heard: list[Outcome] = []
    generation = build_generation(program, Site(store, heard.append, epoch_s=epoch_s))
    exchange = generation.open(Opening(), now_s, "r-1")
    head = (
        (":method", "POST"),
        (":path", "/v1/chat/completions"),
        ("x-who", "mesh"),
        ("x-gateway-inference-objective", "low"),
    )
    call = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    # The body comes much later: what is decided then is decided by the same instant.
    exchange.receive(Head(Direction.REQUEST, Headers(head), False), now_s)
    exchange.receive(Chunk(Direction.REQUEST, json.dumps(call).encode(), True), now_s + 9.0)
    exchange.end("complete", now_s + 10.0)
    (found,) = heard
    records = [r for run in found.runs for r in run.records]
    assert not [r for r in records if isinstance(r, RuleError)]
    return found


def chosen(found: Outcome) -> str | None:
    """Return the endpoint that was picked."""
    records = [r for run in found.runs for r in run.records]
    (decision,) = [r for r in records if isinstance(r, Decision)]
    assert not decision.faults
    return decision.chosen


def holds(condition: str, where: str, model: str) -> bool:
    """Return whether *condition* is true in the place *where*."""
    match where:
        case "class":
            found = outcome(f"class k when {condition} {{ profile other }}", model)
            (routing,) = [r for run in found.runs for r in run.records if isinstance(r, Routing)]
            assert (routing.classes == ("k",)) == (chosen(found) == SECOND)
            return chosen(found) == SECOND
        case "guard":
            text = f'guard g when {condition} {{ patterns "hello" }}'
            return outcome(text, model).status == 400
        case "overload":
            text = f"overload when {condition} {{ shed any when true with 429 }}"
            return outcome(text, model).status == 429
        case "shed":
            text = f"overload when true {{ shed any when {condition} with 429 }}"
            return outcome(text, model).status == 429
        case "filter":
            text = f'filter f = endpoint.name == "{FIRST}" || !({condition})\n'
            text += "profile only { require f  score 1 * taken  pick max }\n"
            text += "class k when true { profile only }"
            return chosen(outcome(text, model)) == FIRST
        case _:
            text = f'scorer s = {condition} && endpoint.name == "{SECOND}" ? 1.0 : 0.0\n'
            text += "profile by { score 2 * s + 1 * free  pick max }\n"
            text += "class k when true { profile by }"
            return chosen(outcome(text, model)) == SECOND


@pytest.mark.parametrize("where", ["class", "guard", "overload", "shed", "filter", "scorer"])
@pytest.mark.parametrize(
    ("condition", "asked", "truth"),
    [
        ('model.name == "chatbot"', "chatbot", True),
        ('model.name == "tuned-*" && request.model == "tuned-7"', "tuned-7", True),
        ("model.priority == 10", "chatbot", True),
        ("has(model.objective) && model.objective == 400ms", "chatbot", True),
        ("has(model.objective)", "plain", False),
        ('now == timestamp("2026-11-22T09:00:00Z")', "chatbot", True),
        ('now > timestamp("2026-11-22T09:00:00Z")', "chatbot", False),
    ],
)
def test_a_rule_knows_the_hour_and_the_model(
    condition: str, asked: str, truth: bool, where: str
) -> None:
    assert holds(condition, where, asked) is truth


@pytest.mark.parametrize(("hour", "priority"), [(9, -5), (10, 10)])
def test_who_is_trusted_may_depend_on_the_hour(hour: int, priority: int) -> None:
    more = f"""objective low {{ priority -5 }}
    trust {{ objective from request.header("x-who") == "mesh" && now.getHours() == {hour} }}
    """
    # Who is trusted is asked by the clock of the process, when the head comes.
    found = outcome(more, epoch_s=EPOCH_S + 1000.0 - monotonic())
    (routing,) = [r for run in found.runs for r in run.records if isinstance(r, Routing)]

    assert routing.priority == priority


def test_who_looks_back_at_a_request_that_was_shed_sees_the_same() -> None:
    found = outcome("overload when model.priority == 10 { shed any when true with 429 }")
    values = request_of(found)

    assert found.status == 429
    assert values.asked == ModelFacts("chatbot", 10, 0.4)
    assert values.now == Timestamp(1_795_338_000 * 10**9)


def test_a_trust_knows_no_model_as_no_body_was_read() -> None:
    more = 'trust { objective from model.name == "chatbot" }'

    with pytest.raises(PolicyError, match="`model` is not known in the condition of a trust"):
        outcome(more)


def test_the_objective_for_a_latency_has_an_effect_only_if_a_rule_reads_it() -> None:
    def told(more: str) -> list[str]:
        text = POLICY.format(first=FIRST, second=SECOND, more=more)
        return [d.message for d in unperformed(compile_policy([Source("t.sched", text)]))]

    assert len(told("")) == 1
    assert told("class k when has(model.objective) { priority 1 }") == []
