"""`headrace explain-error`: what a code means, for people and for machines."""

import msgspec

from headrace.dsl.problems.codes import CODES
from tests.host.cli.command import headrace


def test_a_code_is_explained_with_an_example_and_its_cure() -> None:
    done = headrace("explain-error", "s102")

    assert done.code == 0
    assert done.out.startswith("S102 (error): a block has no such setting\n")
    assert "error[S102]: unknown setting" in done.out
    assert "stale after 2s" in done.out


def test_a_warning_says_how_to_allow_it_and_an_error_does_not() -> None:
    assert "#! allow S311" in headrace("explain-error", "S311").out
    assert "#! allow" not in headrace("explain-error", "S201").out


def test_several_are_explained_and_none_is_the_list_of_all() -> None:
    both = headrace("explain-error", "S102", "S311", "S102").out
    every = headrace("explain-error").out.splitlines()

    assert both.count(" (error): ") == both.count(" (warning): ") == 1
    assert [line[:4] for line in every] == [code.id for code in CODES]


def test_machines_get_pages_as_data() -> None:
    (one,) = msgspec.json.decode(headrace("explain-error", "S311", "--format", "json").out)
    every = msgspec.json.decode(headrace("explain-error", "--format", "json").out)

    assert one["code"] == "S311"
    assert set(one) == {"code", "level", "title", "text", "wrong", "right", "allowing"}
    assert len(every) == len(CODES)


def test_an_unknown_code_is_a_usage_error_with_a_suggestion() -> None:
    done = headrace("explain-error", "S31", "nonsense")

    assert done.code == 2
    assert done.err.count("error: there is no code") == 2


def test_a_long_example_is_not_printed_whole() -> None:
    assert len(headrace("explain-error", "S111").out) < 5_000
