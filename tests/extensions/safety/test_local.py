import pytest

from headrace.dsl.program import Guard
from headrace.extensions.safety.contract import Found
from headrace.extensions.safety.detect import detector
from headrace.extensions.safety.local import apart, joined, settled
from headrace.extensions.safety.own import own
from headrace.extensions.safety.pattern import pattern_list
from tests.extensions.body_router.policies import span


def found(what: str, start: int, end: int, since: int | None = None) -> Found:
    return Found(what, start, end, start if since is None else since)


@pytest.mark.parametrize(
    ("some", "kept"),
    [
        ([], ()),
        ([found("b", 4, 6), found("a", 0, 4)], (found("a", 0, 4), found("b", 4, 6))),
        ([found("a", 0, 4), found("b", 1, 9, 0)], (found("b", 0, 9),)),
        ([found("a", 0, 9), found("b", 1, 3), found("c", 8, 10)], (found("a", 0, 10),)),
        ([found("a", 5, 9, 2), found("b", 5, 7)], (found("a", 5, 9, 2),)),
    ],
)
def test_what_overlaps_is_one_and_called_as_the_longest(
    some: list[Found], kept: tuple[Found, ...]
) -> None:
    assert apart(some) == kept


def test_a_guard_looks_for_all_that_it_names() -> None:
    guard = Guard("g", span(), patterns=("[Aa]cme",), detect=("email",), deny=("bluebird",))
    local = own(guard)

    assert local is not None
    assert [one.what for one in local.found("Bluebird of acme: a@x.org")] == [
        "denied",
        "pattern 0",
        "email",
    ]
    assert local.width_max is None
    assert own(Guard("g", span())) is None
    assert own(Guard("g", span(), detect=("email", "ip"))) == own(
        Guard("g", span(), detect=("ip", "email"))
    )


def test_several_are_as_wide_as_the_widest_and_hold_back_what_any_does() -> None:
    email, card = detector(["email"]), detector(["card"])
    both = joined([email, card])

    assert joined([email]) is email
    assert both.width_max == email.width_max == 320
    assert (both.partial_start("4111 joe"), both.partial_start("4111 ")) == (5, 0)
    assert joined([both, pattern_list(("x",))]).partial_start("a, " * 9, overlap=5) == 22


def test_what_needs_a_word_before_it_is_settled_with_that_word() -> None:
    local = detector(["us_ssn"])
    text = "my ssn: 123456789"

    assert settled(local, text) == ((), 3)
    assert settled(local, text + ", ") == ((Found("us_ssn", 8, 17, 3),), 19)


def test_what_is_found_across_the_end_of_what_is_settled_waits() -> None:
    local = joined([detector(["card"]), pattern_list(("1,",))])

    assert settled(local, "4111111111111111, ok", overlap=8) == ((), 0)
