"""The runner: the real chain, in the world and with the request that a test gives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.program import RuleFault
from headrace.host.policytest.run import ID, Runner
from headrace.host.policytest.world import NOW_S, world
from tests.host.policytest.house import CHAT, POOL, came, program, results

WHEN = 'when request { "model": "chat" }'


def one(body: str, policy: str = CHAT) -> object:
    """Return what came of a policy's one test with *body*."""
    (found,) = came(f'{policy}test "t" {{ {body} }}\n')
    return found


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ('"model": "chat"', 'request.path == "/v1/chat/completions"'),
        ('"model": "chat"', 'request.method == "POST" && !request.stream'),
        ('"model": "chat", "prompt_tokens": 1_000', "request.prompt_tokens == 1000"),
        ('"model": "chat", "prompt_tokens": 1', "request.prompt_tokens == 1"),
        ('"model": "chat", "max_tokens": 7, "stream": true', "request.max_tokens == 7"),
        ('"model": "chat", "stream": true', "request.stream"),
        ('"model": "chat", "size": 4_000', "request.size == 4000"),
        ('"model": "chat", "id": "abc"', 'request.id == "abc"'),
        ('"model": "chat", "path": "/v1/completions"', 'request.path == "/v1/completions"'),
        ('"model": "chat", "headers": { "X-A": "1" }', 'request.header("x-a") == "1"'),
        ('"model": "chat", "headers": { "x-a": "" }', '!("x-a" in request.headers)'),
        ('"model": "none"', 'decision.status == 404 && decision.reason == "unknown-model"'),
        ('"model": "chat", "path": "/nowhere"', "decision.status == 404"),
        ('"model": "chat", "method": "DELETE"', "decision.status == 405"),
        ('"model": "chat"', 'decision.pool == "gemma" && decision.priority == 10'),
        ('"model": "chat"', 'decision.target == "chat" && decision.profile == "default"'),
        ('"model": "chat"', "response.status == 200 && response.size > 0"),
    ],
)
def test_a_request_is_made_as_given_and_decided_by_the_real_chain(
    given_: str, expected: str
) -> None:
    assert one(f"when request {{ {given_} }} expect {expected}") is True


@pytest.mark.parametrize(
    ("given_", "error"),
    [
        ('"prompt": "x", "prompt_tokens": 3', "say the same"),
        ('"size": 10', "too small"),
        ('"prompt_tokens": 99_999_999', "too large"),
        ('"size": 99_999_999', "too large"),
    ],
)
def test_a_request_that_contradicts_itself_is_an_error_that_says_so(
    given_: str, error: str
) -> None:
    assert error in str(one(f'when request {{ "model": "chat", {given_} }} expect decision.shed'))


def test_an_age_is_exact_because_time_stands_still() -> None:
    policy = CHAT + (
        "filter fresh = endpoint.age < 2s\nscorer one = 1.0 - endpoint.kv_cache\n"
        "profile default { require fresh  score 1 * one }\n"
    )
    body = 'given pool gemma { endpoint old { "age": 2s } endpoint new { "age": 1.999s } }'

    assert one(f'{body} {WHEN} expect decision.endpoint == "new"', policy) is True


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ('"queue": 3', "endpoint.queue == 3"),
        ('"running": 4', "endpoint.running == 4"),
        ('"in_flight": 2', "endpoint.in_flight == 2"),
        ('"kv_cache": 12.5%', "endpoint.kv_cache == 0.125"),
        ('"gpu": 50%', "has(endpoint.gpu) && endpoint.gpu == 0.5"),
        ('"adapters": ["x"]', '"x" in endpoint.adapters'),
        ('"adapters_waiting": ["x"]', '"x" in endpoint.adapters_waiting'),
        ('"adapter_slots": 2', "endpoint.adapter_slots == 2"),
        ('"zone": "a"', 'endpoint.zone == "a"'),
        ('"labels": { "k": "v" }', 'endpoint.labels["k"] == "v"'),
        ('"media_match": 50%', "endpoint.media_match == 0.5"),
        ('"prefix_match": 75%', "endpoint.prefix_match == 0.75"),
        ('"queue": 0', 'endpoint.name == "given"'),
    ],
)
def test_every_field_that_is_given_is_what_a_rule_reads(fields: str, rule: str) -> None:
    policy = CHAT + (
        f"filter it = {rule}\nscorer zero = 0.0\n"
        "profile default { prefer it  score 1 * zero  pick max ties by endpoint.running }\n"
    )
    body = f"given pool gemma {{ endpoint other {{}} endpoint given {{ {fields} }} }}"

    assert one(f'{body} {WHEN} expect decision.endpoint == "given"', policy) is True


def test_now_is_the_same_in_every_test() -> None:
    policy = f"{CHAT}class thursday when now.getDayOfWeek() == 4 {{ priority 3 }}\n"

    assert one(f"{WHEN} expect decision.priority == 3", policy) is True


def test_every_request_starts_afresh() -> None:
    text = (
        f'{CHAT}test "t" {{ given pool gemma {{ endpoint a {{}} endpoint b {{}} }}'
        + f" {WHEN} expect !decision.shed" * 20
        + " }"
    )
    found = results(text)

    chosen = {result.ran.values.decision.endpoint for result in found if result.ran}
    assert len(found) == 20
    assert len(chosen) == 1


def test_an_expectation_that_fails_with_an_error_does_not_hold() -> None:
    body = f"{WHEN} expect 1 / decision.status > 0"

    assert one(body) == RuleFault("division-by-zero")


def test_a_pool_in_kubernetes_has_an_idle_endpoint_unless_one_is_given() -> None:
    compiled = program(
        'sched 1\npool far { select app = "x" port 8000 }\nmodel chat { route far }\n'
        'test "t" { when request { "model": "chat" } expect decision.endpoint == "far-1" }\n'
    )

    assert Runner(compiled).case(compiled.tests[0]).passed


def test_a_stage_that_crashes_is_shown_and_ends_one_test_only() -> None:
    compiled = program(f'{CHAT}test "t" {{ {WHEN} expect !decision.rejected }}')

    def broken(*_: object) -> object:
        raise LookupError("no such thing")

    runner = Runner(compiled, {**Runner(compiled).installed, "picker": broken})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]

    assert "LookupError" in runner.case(compiled.tests[0]).error


@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 100), st.booleans()), min_size=1, max_size=6
    )
)
@settings(max_examples=25, deadline=None)
def test_a_case_runs_to_an_end_in_whatever_world(rows: list[tuple[int, int, bool]]) -> None:
    endpoints = " ".join(
        f'endpoint e{i} {{ "queue": {q}, "kv_cache": {kv}%, "ready": {str(ready).lower()} }}'
        for i, (q, kv, ready) in enumerate(rows)
    )
    (result,) = results(
        f'{CHAT}test "t" {{ given pool gemma {{ {endpoints} }} {WHEN} expect decision.shed }}'
    )

    assert not result.error
    assert result.ran is not None
    chosen = result.ran.values.decision.endpoint
    ready = [f"e{i}" for i, (_, _, is_ready) in enumerate(rows) if is_ready]
    assert chosen in ready if ready else chosen == ""


def test_a_hundred_tests_take_less_than_two_seconds() -> None:
    rows = " ".join(f'| {i}, "m{i}"' for i in range(100))
    text = (
        f'{POOL}model "m*" {{ route gemma }}\ntest "t" {{ table q, m {rows}\n'
        'given pool gemma { endpoint a { "queue": q } }\n'
        'when request { "model": m } expect decision.endpoint == "a" }\n'
    )
    found = results(text)

    assert [r for r in found if not r.passed] == []
    assert len(found) == 100
    assert sum(r.wall_s for r in found) < 2.0


def test_a_request_has_the_same_id_each_time_so_that_shares_repeat() -> None:
    compiled = program(CHAT)
    runner = Runner(compiled)
    ids = {runner.request({"model": "chat"}, world(compiled, ())).outcome.request.id}

    assert ids == {ID}


def test_the_clock_of_a_case_stands_still() -> None:
    compiled = program(CHAT)
    ran = Runner(compiled).request({"model": "chat"}, world(compiled, ()))

    assert ran.outcome.started_s == ran.outcome.ended_s == NOW_S
    assert all(run.started_s == run.ended_s == NOW_S for run in ran.outcome.runs)


@pytest.mark.parametrize(
    ("prompt", "guard"),
    [("x and y and z", "last"), ("x and y", "first"), ("y", "second"), ("nothing", "")],
)
def test_the_guard_of_a_decision_is_the_one_that_stopped_it_else_the_first(
    prompt: str, guard: str
) -> None:
    guards = "".join(
        f'guard {name} {{ patterns "{what}"  on match {action} }}\n'
        for name, what, action in (
            ("first", "\\bx\\b", "log"), ("second", "\\by\\b", "log"), ("last", "\\bz\\b", "block"),
        )
    )  # fmt: skip
    asked = f'when request {{ "model": "chat", "prompt": "{prompt}" }}'

    assert one(f'{asked} expect decision.guard == "{guard}"', CHAT + guards) is True
