"""What policies compile to, from the shipped one to the corners."""

import hashlib
import re
import traceback
from pathlib import Path

import pytest

from headrace.dsl.checks.profiles import BUILT_IN
from headrace.dsl.policy import built_in_profile, check_policy, compile_policy
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import PolicyError
from headrace.dsl.program import (
    DEFAULT_CHAIN,
    OnMatch,
    Pick,
    Program,
    RuleFault,
    Share,
    Term,
)
from headrace.dsl.source import Source
from tests.dsl.facts import NOW_S, EndpointFacts, PoolFacts, RequestFacts
from tests.dsl.opening import loader

SHIPPED = sorted((Path(__file__).parents[2] / "policies").glob("*.sched"))
POLICIES = [path for path in SHIPPED if not path.stem.endswith("_test")]
BASE = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\nmodel chat { route gemma }\n'


def program(text: str) -> Program:
    return compile_policy([Source("t.sched", BASE + text)])


def quickstart() -> Program:
    path = next(p for p in POLICIES if p.stem == "quickstart")
    return compile_policy([Source(path.name, path.read_text())])


@pytest.mark.parametrize("path", POLICIES, ids=lambda p: p.stem)
def test_a_shipped_policy_has_no_finding(path: Path) -> None:
    assert check_policy([Source(path.name, path.read_text())]) == ()


def test_the_quickstart_is_the_first_example() -> None:
    policy = quickstart()

    assert list(policy.pools) == ["gemma", "gemma-new"]
    assert policy.pools["gemma"].endpoints == tuple(f"127.0.0.1:1800{n}" for n in range(1, 5))
    assert policy.pools["gemma"].adapters_max == 4
    chatbot = policy.models["chatbot"]
    assert chatbot.priority == 10
    assert chatbot.routes == (Share("gemma", 0.9), Share("gemma-new", 0.1))
    for name in ("english-bot", "spanish-bot"):
        assert policy.models[name].adapter
        assert policy.models[name].profile == "adapters"
        assert policy.models[name].routes == (Share("gemma", 1.0),)
    assert [(c.name, c.priority, c.also) for c in policy.classes] == [("nightly", -10, False)]
    assert policy.overloads[0].sheds[0].status == 429
    assert policy.overloads[0].sheds[0].retry_after_s == 1.0
    assert policy.guards[0].on_match is OnMatch.BLOCK
    assert policy.chain("default") == policy.chains["default"]
    assert policy.chains["default"].stages == DEFAULT_CHAIN.stages


def test_the_quickstart_decides_as_it_reads() -> None:
    policy, request, pool = quickstart(), RequestFacts(), PoolFacts()
    nightly, overload = policy.classes[0].when, policy.overloads[0]

    assert nightly.test(RequestFacts(headers={"x-job": "batch"}), None, NOW_S) is True
    assert nightly.test(RequestFacts(headers={}), None, NOW_S) is False
    assert overload.when.test(request, pool, NOW_S) is False
    assert overload.when.test(request, PoolFacts(queue=5.5), NOW_S) is True
    assert overload.sheds[0].when.test(RequestFacts(priority=-1), pool, NOW_S) is True
    assert overload.sheds[0].when.test(RequestFacts(priority=0), pool, NOW_S) is False


def test_a_column_has_one_value_per_endpoint_in_their_order() -> None:
    profile = quickstart().profiles["adapters"]
    endpoints = [
        EndpointFacts(adapters=("english-bot",)),
        EndpointFacts(adapters=(), adapter_slots=1, ready=False),
        EndpointFacts(adapters=(), adapter_slots=0, kv_cache=0.96),
    ]
    columns = {t.scorer.rule.name: t.scorer.column for t in profile.terms}
    arguments = (endpoints, RequestFacts(), PoolFacts(), NOW_S)

    assert columns["lora_ready"](*arguments) == [1.0, 0.8, 0.0]
    assert columns["short_queue"](*arguments) == [0.25] * 3
    assert profile.require[0].column(*arguments) == [True, False, True]
    assert profile.prefer[0].column(*arguments) == [True, True, False]
    assert profile.ties is not None
    assert profile.ties.column(*arguments) == [0.0, 0.0, 0.0]
    assert columns["kv_free"]([], *arguments[1:]) == []


def test_a_profile_inherits_what_it_does_not_say() -> None:
    policy = quickstart()
    default, adapters = policy.profiles["default"], policy.profiles["adapters"]

    assert adapters.require == default.require
    assert adapters.prefer == default.prefer
    assert [t.weight for t in adapters.terms] == [4, 2, 1]
    assert adapters.ties == default.ties


def test_also_adds_to_what_is_inherited() -> None:
    policy = program("""
        filter a = endpoint.ready
        filter b = endpoint.queue < 5
        profile base { require a  pick max }
        profile more extends base { require also b  prefer also a }
        profile default extends more { require b  pick weighted of top 3  else profile base }
        """)

    assert [f.rule.name for f in policy.profiles["more"].require] == ["a", "b"]
    assert [f.rule.name for f in policy.profiles["default"].require] == ["b"]
    assert policy.profiles["default"].pick is Pick.WEIGHTED
    assert policy.profiles["default"].pick_top == 3
    assert policy.profiles["default"].otherwise == "base"


def test_a_policy_without_a_default_profile_has_the_built_in_one() -> None:
    policy = program(
        "profile eager extends default { pick random }\nclass c when true { profile eager }"
    )

    assert policy.profiles["default"] == built_in_profile()
    assert [f.rule.name for f in policy.profiles["eager"].require] == ["alive"]
    assert policy.chain("default") == DEFAULT_CHAIN


def test_the_readme_tells_the_truth() -> None:
    readme = (POLICIES[0].parent / "README.md").read_text()
    least, built_in = re.findall(r"```sched\n(.*?)```", readme, re.DOTALL)

    assert check_policy([Source("least", least)]) == ()
    assert BUILT_IN.text == f"sched 1\n{built_in}"
    for path in POLICIES:
        assert f"({path.name})" in readme


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_a_shipped_policy_and_its_cases_have_no_error(path: Path) -> None:
    files = {other.name: other.read_text() for other in SHIPPED}
    found = check_policy([Source(path.name, files[path.name])], loader=loader(files))

    assert {d.code for d in found} <= {"S108"}
    assert all(d.level is Level.WARNING for d in found)


def test_a_term_without_a_weight_weighs_one() -> None:
    policy = program("scorer free = 1.0 - endpoint.kv_cache\nprofile default { score free }")

    assert policy.profiles["default"].terms == (
        Term(1.0, policy.profiles["default"].terms[0].scorer),
    )


def test_a_rule_knows_its_text_and_what_it_reads() -> None:
    policy = program(
        "let busy = endpoint.queue > 5\nfilter a = (busy || pool.queue > 2.0)\n"
        "profile default { require a }"
    )
    rule = policy.profiles["default"].require[0].rule

    assert rule.text == "(busy || pool.queue > 2.0)"
    assert rule.reads == {"endpoint.queue", "pool.queue"}


def test_a_score_that_is_no_number_is_a_fault() -> None:
    policy = program(
        "scorer odd = double(endpoint.running) / double(endpoint.running)\n"
        "profile default { score odd }"
    )
    column = policy.profiles["default"].terms[0].scorer.column
    endpoints = [EndpointFacts(running=0), EndpointFacts(running=2)]

    assert column(endpoints, RequestFacts(), PoolFacts(), NOW_S) == [RuleFault("nan"), 1.0]


def test_a_fault_before_the_loop_counts_only_where_it_matters() -> None:
    policy = program(
        "filter a = endpoint.queue > 5 || request.headers['x-team'] == 'core'\n"
        "profile default { require a }"
    )
    column = policy.profiles["default"].require[0].column
    endpoints = [EndpointFacts(queue=9), EndpointFacts(queue=1)]

    assert column(endpoints, RequestFacts(), PoolFacts(), NOW_S) == [True, RuleFault("missing")]


def test_a_condition_that_faults_says_so() -> None:
    policy = program("class c when request.headers['x-team'] == 'core' { priority 1 }")

    assert policy.classes[0].when.test(RequestFacts(), None, NOW_S) == RuleFault("missing")


def test_ties_can_be_broken_by_any_number() -> None:
    for expression, expected in (
        ("endpoint.age", 1.0),
        ("endpoint.queue - 5", -2.0),
        ("pool.queue / double(endpoint.running)", float("inf")),
    ):
        policy = program(f"profile default {{ pick max ties by {expression} }}")
        ties = policy.profiles["default"].ties
        assert ties is not None
        found = ties.column([EndpointFacts()], RequestFacts(), PoolFacts(), NOW_S)

        assert found == [expected]
        assert isinstance(found[0], float)


def test_several_files_are_one_policy() -> None:
    policy = compile_policy(
        [
            Source("a.sched", 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\n'),
            Source("b.sched", "sched 1\nmodel chat { route gemma }\n"),
        ]
    )

    assert policy.models["chat"].routes[0].pool == "gemma"


def test_the_digest_of_one_file_is_that_of_its_bytes() -> None:
    assert program("# é\n").digest == hashlib.sha256((BASE + "# é\n").encode()).hexdigest()


def test_a_stage_can_be_installed_that_this_package_does_not_know() -> None:
    text = BASE + "chain default { body_router  redactor  picker }"
    stages = frozenset({"body_router", "picker", "redactor"})

    assert compile_policy([Source("t", text)], stages).chains["default"].stages[1] == "redactor"
    with pytest.raises(PolicyError, match="no stage `redactor` is installed"):
        compile_policy([Source("t", text)])


def test_patterns_keep_their_backslashes() -> None:
    policy = program(r'guard g { patterns "\bAKIA\d+", r"\w"  on match log }')

    assert policy.guards[0].patterns == (r"\bAKIA\d+", r"\w")
    assert policy.guards[0].on_match is OnMatch.LOG


def test_trusted_headers_and_conditions_are_kept_together() -> None:
    policy = program("""
        trust {
          objective fairness_id from request.header("x-authenticated-by") == "mesh"
          session from true
        }
        """)

    assert [t.names for t in policy.trusts] == [
        {"objective", "fairness_id"},
        {"session"},
    ]


def test_warnings_do_not_stop_a_policy() -> None:
    assert program("filter unused = endpoint.ready").models


def test_what_picks_in_its_only_pool_needs_no_model() -> None:
    pools = 'pool a { endpoints "10.0.0.1:8000" }\n'
    alone = check_policy([Source("t.sched", f"sched 1\n{pools}chain default {{ picker }}\n")])
    two = check_policy(
        [
            Source(
                "t.sched", f"sched 1\n{pools}{pools.replace('a', 'b', 1)}chain default {{ picker }}"
            )
        ]
    )

    assert not alone
    assert "S222" in {d.code for d in two}


def test_a_traceback_shows_the_policy() -> None:
    policy = program("\nfilter strange = endpoint.queue < 5\nprofile default { require strange }\n")
    column = policy.profiles["default"].require[0].column
    broken: list[EndpointFacts] = [None]  # type: ignore[list-item]  # pyright: ignore

    with pytest.raises(AttributeError) as caught:
        column(broken, RequestFacts(), PoolFacts(), NOW_S)
    shown = "".join(traceback.format_exception(caught.value))

    assert 'File "<sched:t.sched:strange>", line 5' in shown
    assert "filter strange = endpoint.queue < 5" in shown
