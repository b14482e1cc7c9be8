"""Every code has a page whose examples do what they say."""

import pytest

from headrace.dsl.policy import check_policy
from headrace.dsl.problems.codes import CODES, Level
from headrace.dsl.problems.page import Page, page, policy_of

TODAY = "2026-11-22"


def page_of(code: str) -> Page:
    found = page(code)
    assert found is not None
    return found


@pytest.mark.parametrize("code", [c.id for c in CODES])
def test_the_wrong_example_has_the_problem_and_the_right_one_is_clean(code: str) -> None:
    found = page_of(code)
    wrong = check_policy(policy_of(found.wrong, found.times), today=TODAY)

    assert code in {d.code for d in wrong}
    right = check_policy(policy_of(found.right), today=TODAY)
    # What the host does not perform yet says so by S108.
    assert [d.message for d in right if d.code != "S108" or code == "S108"] == []


@pytest.mark.parametrize("code", [c.id for c in CODES])
def test_a_page_explains_in_a_few_whole_lines(code: str) -> None:
    found = page_of(code)

    assert len(found.text) > 80
    assert found.text.endswith((".", "`."))
    assert all(len(line) <= 120 for line in found.text.split("\n"))
    assert bool(found.allowing) is (
        found.code.level is not Level.ERROR and code not in ("S113", "S114", "S115")
    )


def test_a_code_is_found_in_any_case_and_an_unknown_one_is_none() -> None:
    assert page("s102") == page("S102")
    assert page("S999") is None


def test_the_files_of_an_example_are_one_policy() -> None:
    first, second = policy_of("sched 1\n=== b.sched\nsched 1\n", 1)

    assert (first.name, second.name, second.text) == ("policy.sched", "b.sched", "sched 1\n")
