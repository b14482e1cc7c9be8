"""The whole language: every block and statement compiles to the values it says."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.cases import TestCase
from headrace.dsl.dialects.builtin import built_in
from headrace.dsl.policy import check_policy, compile_policy, digest
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import SHOWN_MAX, PolicyError, render
from headrace.dsl.program import (
    InferencePoolRef,
    Latency,
    Mirror,
    OnMatch,
    OnTrouble,
    Pick,
    Program,
    Provision,
    RuleFault,
    Scope,
    Selector,
    Share,
    Speed,
    Streamed,
    Window,
)
from headrace.dsl.serving import GpuSource, Member
from headrace.dsl.source import Source
from headrace.dsl.syntax.grammar import grammar_text
from tests.dsl.facts import NOW_S, EndpointFacts, PoolFacts, RequestFacts
from tests.dsl.opening import WHOLE, declares, whole

BASE = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\nmodel chat { route gemma }\n'


@pytest.fixture(scope="module")
def program() -> Program:
    source, loader = whole()
    return compile_policy([source], loader=loader, declares=declares)


def test_everything_is_understood_and_nothing_is_wrong_with_it() -> None:
    source, loader = whole()
    found = check_policy([source], loader=loader, declares=declares)

    assert [render(d) for d in found if d.code != "S108" or d.level is Level.ERROR] == []


def test_the_example_has_every_statement_of_the_grammar() -> None:
    text = "".join(path.read_text() for path in WHOLE.parent.glob("*.sched"))
    blocks = grammar_text().partition("// ---- CEL")[0]
    words = set(re.findall(r'"([a-z]+)"', blocks))
    words |= set(re.findall(r'^[A-Z]+: "([a-z]+)"$', grammar_text(), re.MULTILINE))

    assert words - {"null"} <= set(re.findall(r"[a-z]+", text))


def test_a_pool_comes_from_one_of_three_places(program: Program) -> None:
    pools = program.pools

    assert pools["granite"].inference_pool == InferencePoolRef("granite", "models")
    assert pools["mistral"].selector == Selector(
        (("app", "mistral"), ("example.com/tier", "gold")), 9000
    )
    assert pools["mistral"].adapters_max == 8
    assert pools["mistral"].speed == Speed(step_s=0.008, batch_tokens=4096)
    assert pools["desk"].endpoints == ("127.0.0.1:8001", "[::1]:8002", "127.0.0.1:8003")
    assert pools["desk"].members == (
        Member("127.0.0.1:8001", "127.0.0.1:8001"),
        Member("[::1]:8002", "[::1]:8002"),
        Member("127.0.0.1:8003", "spare", "eu-1a", "prefill", (("tier", "gold"),)),
    )
    assert pools["desk"].gpu == GpuSource(built_in("dcgm"), 9401)
    assert pools["desk"].profile == "lora"


def test_a_pool_takes_over_what_it_does_not_say_from_the_one_it_extends(program: Program) -> None:
    granite = program.pools["granite"]
    # The override's, whose `dead after` is that of its own `stale after`.
    assert (granite.stale_after_s, granite.dead_after_s) == (5.0, 25.0)
    assert program.pools["granite-next"].stale_after_s == 5.0
    assert program.pools["granite-next"].inference_pool == InferencePoolRef(
        "granite-next", "models"
    )


def test_a_model_has_paths_that_pass_unread(program: Program) -> None:
    model = program.models["whisper"]

    assert (model.passthrough, model.unscreened) == (("/v1/audio/*", "/tokenizer_info"), True)


def test_a_model_has_shares_mirrors_an_objective_and_a_latency(program: Program) -> None:
    model = program.models["assistant"]

    assert model.routes == (Share("granite", 0.8, "ibm/granite-3"), Share("granite-next", 0.2))
    assert model.mirrors == (Mirror("desk", 0.05), Mirror("mistral", 0.01))
    assert (model.objective, model.priority) == ("interactive", 10)
    assert model.latency == Latency("ttft", 0.95, 0.4)


def test_an_alias_is_the_same_model_and_asks_the_upstream_for_it(program: Program) -> None:
    model, alias = program.models["ibm/granite-3.3:8b"], program.models["granite_direct"]

    assert model.objective is None  # its own priority takes the place of the objective
    assert model.priority == alias.priority == 3
    assert alias.alias_of == model.name
    assert [s.rewrite for s in model.routes] == ["ibm/granite-3", None]
    assert [s.rewrite for s in alias.routes] == ["ibm/granite-3", "ibm/granite-3.3:8b"]


def test_costs_are_minimized_in_seconds(program: Program) -> None:
    profile = program.profiles["quick"]
    endpoints = [EndpointFacts(queue=9, zone="eu-1"), EndpointFacts(queue=0, zone="us-2")]
    arguments = (endpoints, RequestFacts(), PoolFacts(), NOW_S)

    assert profile.pick is Pick.LEAST
    assert profile.terms == ()
    assert [(t.weight, t.cost.rule.name) for t in profile.costs] == [(1, "backlog"), (0.5, "far")]
    assert profile.costs[0].cost.column(*arguments) == [1.0, 0.0]
    assert profile.costs[1].cost.column(*arguments) == [0.0, 0.02]
    assert dict(profile.plugins[0].settings) == {"block": 32}


def test_a_queue_says_how_it_serves_and_a_shed_how_likely_it_is(program: Program) -> None:
    overload = program.overloads[1]
    queue, (shed,) = overload.queue, overload.sheds

    assert queue is not None
    assert (queue.length_max, queue.bytes_max) == (200, 64_000_000)
    assert (queue.strict, queue.in_tokens, queue.soonest) == (True, True, True)
    assert shed.chance is not None
    assert shed.chance.value(RequestFacts(), PoolFacts(), NOW_S) == pytest.approx(0.3 * 0.75)
    assert (shed.retry_after_s, overload.pools) == (None, ("mistral",))


def test_a_pool_says_how_long_requests_wait_for_its_endpoints(program: Program) -> None:
    pools = program.pools

    assert (pools["desk"].wait_s, pools["desk"].wait_max) == (30.0, 20)
    assert pools["granite"].wait_s == 0.0


def test_a_queue_has_an_order_and_is_fair(program: Program) -> None:
    queue = program.overloads[0].queue

    assert queue is not None
    assert (queue.wait_s_max, queue.length_max) == (0.2, 1000)
    assert (queue.bytes_max, queue.strict, queue.in_tokens, queue.soonest) == (
        256_000_000, False, False, False,
    )  # fmt: skip
    assert queue.by.value(RequestFacts(priority=7), PoolFacts(), NOW_S) == 7
    tenant, model = queue.fair
    request = RequestFacts(headers={"x-tenant": "acme"}, model="m")
    assert tenant.value(request, PoolFacts(), NOW_S) == "acme"
    assert model.value(request, PoolFacts(), NOW_S) == "m"


def test_an_overload_says_who_may_be_ended(program: Program) -> None:
    first, second = program.overloads[:2]

    assert first.evict is not None
    assert second.evict is None
    assert first.evict.test(RequestFacts(priority=-1), None, NOW_S) is True
    assert first.evict.test(RequestFacts(priority=0), None, NOW_S) is False


def test_a_class_can_say_by_what_it_is_fair(program: Program) -> None:
    fairness = program.classes[1].fairness

    assert fairness is not None
    assert fairness.value(RequestFacts(headers={"x-tenant": "acme"}), None, NOW_S) == "acme"


def test_a_class_can_say_which_session_it_is(program: Program) -> None:
    session = program.classes[1].session
    headers = {"x-tenant": "acme/", "cookie": "a=1; chat = no; xchat=2;chat= c-7 ;chat=8"}

    assert session is not None
    assert session.value(RequestFacts(headers=headers), None, NOW_S) == "acme/c-7"
    assert session.value(RequestFacts(headers={}), None, NOW_S) == ""


def test_a_guard_of_a_provider_says_what_follows_from_what(program: Program) -> None:
    guard = program.guards[1]

    template = "projects/example/locations/eu/templates/strict"
    settings = {"template": ((template, ""),), "transport": (("rest", ""),)}
    assert guard.ask == Provision("model_armor", settings=settings)
    assert guard.inspect == {"prompt", "response"}
    assert guard.timeout_s == 0.3
    assert (guard.on_match, guard.on_error) == (OnMatch.REDACT, OnTrouble.ALLOW)
    assert (guard.on_timeout, guard.on_partial) == (OnTrouble.LOG, OnTrouble.BLOCK)


def test_a_guard_that_looks_by_itself_says_where_and_in_what(program: Program) -> None:
    guard = next(g for g in program.guards if g.name == "personal")

    assert (guard.detect, guard.deny) == (
        ("card", "iban", "email"), ("project bluebird", "acme merger"),
    )  # fmt: skip
    assert (guard.scope, guard.window) == (Scope.NEW_TURNS, Window("characters", 400, 100))
    assert (guard.on_match, guard.on_unreadable) == (OnMatch.MASK, OnTrouble.ALLOW)
    assert guard.ask is None


def test_a_guard_can_ask_any_server_and_read_its_answer(program: Program) -> None:
    guard = next(g for g in program.guards if g.name == "screened")

    assert guard.ask is not None
    assert guard.ask.url == "https://screen.acme.example/check"
    assert guard.ask.headers == {"x-tenant": "acme"}
    assert guard.ask.secrets == {"authorization": "SCREEN_TOKEN"}
    assert guard.ask.prefixes == {"authorization": "Bearer "}
    assert guard.ask.settings == {
        "body": (('{"text": {text}, "direction": {direction}}', ""),),
        "method": (("POST", ""),),
    }
    match, category = guard.ask.rules["match"], guard.ask.rules["category"]
    assert match.read({"flagged": False, "score": 0.9}) is True
    assert match.read({"flagged": False, "score": 0}) is False
    assert category.read({"label": "toxic"}) == "toxic"
    assert category.read({}) == RuleFault("missing")
    assert (guard.at_once, guard.cache_s, guard.cache_entries) == (64, 300.0, 10_000)
    assert (guard.breaker_failures, guard.breaker_s) == (5, 10.0)


def test_model_armor_has_a_template_for_each_model_and_one_for_the_others(program: Program) -> None:
    guard = next(g for g in program.guards if g.name == "regional")

    assert guard.ask is not None
    base = "projects/example/locations/eu/templates"
    assert guard.ask.settings == {
        "template": (
            (f"{base}/chat", ""), (f"{base}/strict", "assistant"), (f"{base}/strict", "granite-7b"),
        ),
        "response_template": ((f"{base}/answers", ""),),
        "transport": (("rest", ""),),
    }  # fmt: skip
    assert (guard.ask.url, guard.streamed) == ("http://127.0.0.1:8443", Streamed.OBSERVE)


def test_what_blocks_can_be_said_over_all_verdicts(program: Program) -> None:
    safety = program.safety

    assert (safety.parallel, safety.inspect_only) == (True, False)
    assert safety.block is not None
    assert safety.block.test({"secrets": True}) is True
    assert safety.block.test({"screened": True}) is False
    assert safety.block.test({"screened": True, "regional": True}) is True
    assert safety.block.test({}) is False


def test_a_test_gives_what_providers_say_and_what_the_model_answers(program: Program) -> None:
    case = program.tests[0]

    finds, fails = case.guards
    assert (finds.guard, finds.finds, finds.direction) == (
        "screened", ("toxic", "threat"), "prompt",
    )  # fmt: skip
    assert (fails.guard, fails.fails, fails.direction) == ("armor", "timeout", "")
    assert case.answer == "the card is 4111 1111 1111 1111"


def test_a_stage_of_a_package_has_its_settings_and_their_defaults(program: Program) -> None:
    use = program.stages["masker"]

    assert (use.package, use.attribute) == ("acme-headrace", "Masker")
    assert (use.timeout_s, use.on_failure) == (0.05, "closed")
    assert dict(use.settings) == {
        "field": "prompt", "copies": 2, "share": 0.1, "keep": 4_000_000, "strict": True,
        "mode": "all",
    }  # fmt: skip


def test_a_test_gives_one_case_for_each_row(program: Program) -> None:
    first, second = program.tests

    assert isinstance(first, TestCase)
    assert first.name == 'nightly jobs are shed first #1 (job="batch", shed=true)'
    assert first.request == {"model": "assistant", "headers": {"x-job": "batch"}}
    assert second.request["headers"] == {"x-job": "live"}
    assert (first.row, second.row["shed"]) == ({"job": "batch", "shed": True}, False)
    pool = first.pools[0]
    assert [(e.name, e.values) for e in pool.endpoints] == [
        ("a", {"kv_cache": 0.96, "queue": 9}),
        ("b", {"kv_cache": 0.97}),
    ]
    assert len(first.expects) == 2


def test_an_import_stands_before_what_imports_it(program: Program) -> None:
    source, loader = whole()

    assert program.files == ("whole.sched", "pools.sched")
    assert program.digest == digest([source, loader("pools.sched", source)])


def test_the_program_knows_all_its_rules(program: Program) -> None:
    names = [rule.name for rule in program.rules]

    assert {"alive", "roomy", "prefix", "backlog", "nightly", "queue", "tenant"} <= set(names)
    assert names.count("free") == 1  # the overridden one is gone


def test_an_override_replaces_the_expression(program: Program) -> None:
    term = next(t for t in program.profiles["default"].terms if t.scorer.rule.name == "free")
    endpoints = [EndpointFacts(kv_cache=0.5)]

    assert term.scorer.column(endpoints, RequestFacts(), PoolFacts(), NOW_S) == [0.75]


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        ("let a: count = endpoint.queue\nfilter b = a > 5", True),
        ("let a: double = endpoint.kv_cache\nscorer b = a", True),
        ("let a: ratio = 0.5\nscorer b = a", True),
        ("let a: list<string> = endpoint.adapters\nfilter b = 'x' in a", True),
        ("let a: map<string, string> = request.headers\nfilter b = 'x' in a", True),
        ("let a: tokens = endpoint.queue\nfilter b = a > 5", False),
        ("let a: list<int> = endpoint.adapters\nfilter b = size(a) > 5", False),
    ],
)
def test_a_let_has_the_type_that_it_is_declared_to_have(text: str, declared: bool) -> None:
    found = check_policy([Source("t", BASE + text)])

    assert any(d.level is Level.ERROR for d in found) is not declared


def test_a_declared_type_with_a_unit_is_checked_where_the_let_is_used() -> None:
    text = BASE + "let a: tokens = 5\nfilter b = endpoint.queue > a\nprofile default { require b }"

    with pytest.raises(PolicyError, match="count"):
        compile_policy([Source("t", text)])


TEXT = WHOLE.read_text()
PIECES = [
    "{",
    "}",
    '"',
    "|",
    "when",
    "override ",
    "extends x",
    "5%",
    "given",
    "as",
    "\x00",
    "table a",
]


@settings(max_examples=50, deadline=None)
@given(
    at=st.integers(0, len(TEXT)), length=st.integers(0, 40), piece=st.sampled_from([*PIECES, ""])
)
def test_the_whole_damaged_anywhere_is_checked_without_a_crash(
    at: int, length: int, piece: str
) -> None:
    loader = whole()[1]
    source = Source(WHOLE.name, TEXT[:at] + piece + TEXT[at + length :])

    for diagnostic in check_policy([source], loader=loader, declares=declares):
        assert render(diagnostic)


@pytest.mark.parametrize(
    "text",
    [
        f"let a: {'list<' * 20_000}int{'>' * 20_000} = 5",
        "test 't' { when request " + "{'a': " * 5_000 + "1" + "}" * 5_000 + " expect true }",
        f"test 't' {{ table a {'| 1 ' * 50_000} when request {{ 'model': 'm' }} expect true }}",
        "override " * 20_000 + "pool gemma { }",
        f"stage s from 'a:b' {{ {'x 1 ' * 50_000} }}",
        "".join(f"profile p{n} extends p{n + 1} {{ }}\n" for n in range(5_000)),
        "".join(f"model m{n} as a{n} extends m{n + 1} {{ }}\n" for n in range(3_000)),
        f"queue {'(' * 50_000}",
    ],
    ids=["types", "maps", "rows", "overrides", "settings", "profiles", "models", "brackets"],
)
def test_a_bomb_is_refused_in_time(text: str) -> None:
    begin = time.process_time()
    found = check_policy([Source("t", BASE + text)])

    assert any(d.level is Level.ERROR for d in found)
    assert len(found) <= SHOWN_MAX + 1
    assert time.process_time() - begin < 10
