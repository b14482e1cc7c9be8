"""The policies we ship do, in the real chain, what their own tests say."""

from functools import cache
from pathlib import Path

import pytest

from headrace.dsl.cases import TestCase
from headrace.dsl.policy import compile_policy
from headrace.dsl.problems.codes import Level
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.dsl.unperformed import unperformed
from headrace.host.cli.imports import Imports
from headrace.host.policytest.run import Runner
from headrace.host.policytest.world import world

ROOT = Path(__file__).parents[2]
POLICIES = sorted((ROOT / "policies").glob("*.sched"))


def loaded(path: Path) -> Program:
    """Return the program at *path*, its imports included."""
    sources = [Source(str(path), path.read_text())]
    return compile_policy(sources, loader=Imports.of(sources).load)


SERVED = [path for path in POLICIES if not path.stem.endswith("_test")]
PROGRAMS = {path.stem: loaded(path) for path in POLICIES}
CASES = [(name, case) for name, program in PROGRAMS.items() for case in program.tests]
README = (ROOT / "policies" / "README.md").read_text()
LINES_MAX = 90


@cache
def runner(name: str) -> Runner:
    """Return what runs requests by the policy *name*."""
    return Runner(PROGRAMS[name])


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{n}: {c.name}" for n, c in CASES])
def test_a_policy_does_what_its_test_says(name: str, case: TestCase) -> None:
    result = runner(name).case(case)

    assert result.passed, (result.error, result.missed)


def test_a_test_that_expects_something_else_would_fail() -> None:
    case, other = PROGRAMS["default_test"].tests[:2]
    wrong = TestCase(case.name, case.span, case.pools, case.request, other.expects)

    assert runner("default_test").case(wrong).missed


@pytest.mark.parametrize("path", SERVED, ids=lambda path: path.stem)
def test_every_policy_has_tests_and_fits_on_a_page(path: Path) -> None:
    beside = path.with_name(f"{path.stem}_test.sched")

    assert len(PROGRAMS[beside.stem].tests) >= 3
    assert path.read_text().count("\n") <= LINES_MAX


@pytest.mark.parametrize("path", SERVED, ids=lambda path: path.stem)
def test_a_policy_uses_only_what_the_host_performs(path: Path) -> None:
    assert not [d for d in unperformed(PROGRAMS[path.stem]) if d.level is not Level.ERROR]


@pytest.mark.parametrize("path", SERVED, ids=lambda path: path.stem)
def test_every_model_of_a_policy_is_answered(path: Path) -> None:
    program = PROGRAMS[path.stem]
    for name in program.models:
        decision = runner(path.stem).request({"model": name}, world(program, ())).values.decision

        assert decision.pool in program.pools, name
        assert decision.endpoint in program.pools[decision.pool].endpoints


def test_the_readme_says_of_every_policy_when_to_take_it() -> None:
    for path in SERVED:
        assert f"[`{path.name}`]({path.name})" in README
