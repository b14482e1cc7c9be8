"""What no part of the host performs is told, and only that."""

from pathlib import Path

import pytest

from headrace.dsl.policy import check_policy, compile_policy
from headrace.dsl.problems.codes import Level
from headrace.dsl.program import Program, Use
from headrace.dsl.source import Source, Span
from headrace.dsl.unperformed import STATEMENTS, unperformed
from tests.dsl.opening import declares, whole

POLICIES = (Path(__file__).parents[2] / "policies").glob("*.sched")
SHIPPED = sorted(path for path in POLICIES if not path.stem.endswith("_test"))
SPAN = Span(Source("t", "text"), 0, 4)


def test_every_statement_that_is_not_performed_exists_in_the_language() -> None:
    source, loader = whole()
    program = compile_policy([source], loader=loader, declares=declares)

    assert STATEMENTS.keys() <= {use.what for use in program.uses}


@pytest.mark.parametrize("what", sorted(STATEMENTS))
def test_a_statement_that_is_not_performed_is_a_warning_at_its_place(what: str) -> None:
    (found,) = unperformed(Program("", uses=(Use("pool", SPAN), Use(what, SPAN))))

    assert (found.code, found.level, found.span) == ("S108", Level.WARNING, SPAN)
    assert found.help.startswith("until then, ")


def test_the_checker_tells_all_of_it() -> None:
    source, loader = whole()
    program = compile_policy([source], loader=loader, declares=declares)
    told = check_policy([source], loader=loader, declares=declares)

    found = [(d.message, d.span) for d in told if d.code == "S108"]
    assert sorted(found, key=repr) == sorted(
        [(d.message, d.span) for d in unperformed(program)], key=repr
    )


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_policy_uses_none_of_it(path: Path) -> None:
    assert unperformed(compile_policy([Source(path.name, path.read_text())])) == ()


def test_what_is_inherited_is_told_once_at_the_place_it_is_written() -> None:
    text = """sched 1
        pool x { endpoints "10.0.0.1:8000" }
        model m { route x  objective ttft p95 < 400ms }
        model n extends m { priority 3 }
        """
    found = unperformed(compile_policy([Source("t", text)]))

    assert [d.span.text for d in found] == ["objective ttft p95 < 400ms"]


def test_what_is_overridden_is_not_told() -> None:
    text = """sched 1
        pool x { endpoints "10.0.0.1:8000" }
        model m { route x  objective ttft p95 < 400ms }
        override model m { objective ttft p95 < 300ms }
        """
    found = unperformed(compile_policy([Source("t", text)]))

    assert [d.span.text for d in found] == ["objective ttft p95 < 300ms"]


@pytest.mark.parametrize(("metric", "rule", "told"), [
    ("tpot", "endpoint.slo_slack < 1s", False),
    ("ttft", "endpoint.slo_slack < 1s", True),
    ("ttft", "has(model.objective) && model.objective < 1s", False),
    ("tpot", "endpoint.ready", True),
])  # fmt: skip
def test_an_objective_is_performed_if_a_rule_reads_it(metric: str, rule: str, told: bool) -> None:
    text = f"""sched 1
        pool x {{ endpoints "10.0.0.1:8000" }}
        model m {{ route x  objective {metric} p95 < 400ms }}
        filter kept = {rule}
        profile default {{ prefer kept  pick random }}
        """
    found = unperformed(compile_policy([Source("t", text)]))

    assert bool(found) is told
