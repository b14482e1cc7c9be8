"""What of a status has to be written, for every status that may be there."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headrace.host.cluster.condition import MESSAGE_CHARS_MAX, Condition, Wanted, patch_of
from headrace.host.cluster.resource import Resource
from tests.host.cluster.apiserver.shelf import merged

THEN, NOW = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"
OBJECT = Resource("headrace.dev", "v1alpha1", "schedpolicies", "default", "p")
REASONS = st.sampled_from(("Checked", "Refused"))
CONDITIONS = st.builds(
    Condition,
    st.sampled_from(("Accepted", "Programmed")),
    st.sampled_from((True, False, None)),
    REASONS,
    st.sampled_from(("", "why")),
)
WANTED = st.builds(
    Wanted,
    st.just(OBJECT),
    st.just("uid-1"),
    st.just(2),
    st.lists(CONDITIONS, unique_by=lambda one: one.type),
    st.dictionaries(st.sampled_from(("policy", "diagnostics")), st.integers(), max_size=2),
)


def found(status: dict[str, Any] | None = None, generation: int = 2) -> dict[str, Any]:
    """Return the object as it may be there."""
    meta = {"name": "p", "uid": "uid-1", "generation": generation, "resourceVersion": "7"}
    return {"metadata": meta} | ({} if status is None else {"status": status})


@given(WANTED, WANTED)
def test_a_patch_once_made_needs_no_second(first: Wanted, second: Wanted) -> None:
    there = found()
    for wanted in (first, second):
        patch = patch_of(there, wanted, THEN)
        there = there if patch is None else merged(there, patch)

        assert patch_of(there, wanted, NOW) is None
        assert there["metadata"] == found()["metadata"]


@given(WANTED, st.lists(st.sampled_from(("Ready", "Synced")), unique=True))
def test_conditions_and_fields_of_others_stay(wanted: Wanted, others: list[str]) -> None:
    theirs = [{"type": one, "status": "True"} for one in others]
    there = found({"conditions": theirs, "seen": 1})
    patch = patch_of(there, wanted, NOW) or {}
    after = merged(there, patch)["status"]

    assert [one for one in after["conditions"] if one["type"] in others] == theirs
    assert after["seen"] == 1


def test_the_time_of_a_condition_is_that_of_its_last_turn() -> None:
    good, bad = Condition("Accepted", True, "Checked"), Condition("Accepted", False, "Refused")
    there: dict[str, Any] = found()
    times: list[str] = []
    for one, now in ((good, THEN), (Condition("Accepted", True, "Warned"), NOW), (bad, NOW)):
        patch = patch_of(there, Wanted(OBJECT, "uid-1", 2, (one,)), now)
        assert patch is not None
        there = merged(there, patch)
        times.append(there["status"]["conditions"][0]["lastTransitionTime"])

    assert times == [THEN, THEN, NOW]


def test_an_object_that_was_not_judged_is_left_alone() -> None:
    wanted = Wanted(OBJECT, "uid-1", 1, (Condition("Accepted", True, "Checked"),))
    other = Wanted(OBJECT, "uid-0", 2, wanted.conditions)

    assert patch_of(found(), wanted, NOW) is None
    assert patch_of(found(), other, NOW) is None


def test_a_patch_holds_for_what_was_found_only_and_its_messages_are_bounded() -> None:
    long = Condition("Accepted", False, "Refused", "x" * MESSAGE_CHARS_MAX * 2)
    patch = patch_of(found(), Wanted(OBJECT, "uid-1", 2, (long,)), NOW)

    assert patch is not None
    assert patch["metadata"] == {"resourceVersion": "7"}
    assert len(patch["status"]["conditions"][0]["message"]) == MESSAGE_CHARS_MAX
