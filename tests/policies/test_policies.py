"""The policies we ship do, in the real chain, what their own tests say."""

from pathlib import Path

import pytest

from headrace.dsl.problems.codes import Level
from headrace.dsl.program import TestCase
from headrace.dsl.unperformed import unperformed
from tests.policies.house import POLICIES, ROOT, loaded, missed, serve

SERVED = [path for path in POLICIES if not path.stem.endswith("_test")]
PROGRAMS = {path.stem: loaded(path) for path in POLICIES}
CASES = [(name, case) for name, program in PROGRAMS.items() for case in program.tests]
README = (ROOT / "policies" / "README.md").read_text()
LINES_MAX = 90


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{n}: {c.name}" for n, c in CASES])
def test_a_policy_does_what_its_test_says(name: str, case: TestCase) -> None:
    decided = serve(PROGRAMS[name], case)

    assert not missed(PROGRAMS[name], case, decided), decided.summary


def test_a_test_that_expects_something_else_would_fail() -> None:
    program = PROGRAMS["default_test"]
    case, other = program.tests[0], program.tests[1]
    wrong = TestCase(case.name, case.span, case.pools, case.request, other.expects)

    assert missed(program, wrong, serve(program, wrong))


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
        case = TestCase(name, next(iter(program.pools.values())).span, (), {"model": name})

        decided = serve(program, case)

        assert decided.pool in program.pools, name
        assert decided.endpoint in program.pools[decided.pool].endpoints


def test_the_readme_says_of_every_policy_when_to_take_it() -> None:
    for path in SERVED:
        assert f"[`{path.name}`]({path.name})" in README
