"""From objectives and rewrites to what stages read."""

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.serving import InferencePoolRef
from headrace.dsl.source import Source
from headrace.extensions.directory import NO_NOTES, Directory, Notes, Targets
from headrace.host.cluster.notes import Said, notes_of, overruled, strays
from headrace.host.cluster.reading import Objective, Rewrite, RewriteRule

EXACT = RewriteRule(("chatbot",), ("exact",), ())
EVERY = RewriteRule((), ("every",), ())


def rewrite(name: str, *rules: RewriteRule, created: str = "2026", pool: str = "gemma") -> Rewrite:
    return Rewrite(name, pool, created, rules)


def asked(notes: Notes, model: str) -> str:
    targets = notes.targets(model)
    return targets.name(0.5) if targets else model


def test_what_is_of_another_pool_is_not_said_of_this_one() -> None:
    said = Said((Objective("o", "other", 1),), (rewrite("r", EVERY, pool="other"),))

    assert notes_of("gemma", said) == NO_NOTES
    assert [flaw.name for flaw in strays(said, ["gemma"])] == ["o", "r"]
    assert not list(strays(said, ["gemma", "other"]))


def test_an_objective_gives_its_priority_by_name_and_to_the_models_that_it_names() -> None:
    notes = notes_of("gemma", Said((Objective("o", "gemma", 5, ("a", "b")),)))

    assert (notes.priorities, notes.of_models) == ({"o": 5}, {"a": "o", "b": "o"})


def test_of_two_groups_the_newer_counts() -> None:
    both = (Objective("o", "gemma", 5), Objective("o", "gemma", 1))

    assert notes_of("gemma", Said(both)).priorities == {"o": 5}


@pytest.mark.parametrize("order", [1, -1])
def test_a_rule_for_the_model_goes_before_one_for_all_whichever_is_older(order: int) -> None:
    pair = [rewrite("a", EVERY, created="2025"), rewrite("b", EXACT, created="2026")]
    notes = notes_of("gemma", Said((), tuple(pair[::order])))

    assert (asked(notes, "chatbot"), asked(notes, "x")) == ("exact", "every")


def test_the_oldest_resource_and_its_first_rule_count() -> None:
    older = rewrite("z", RewriteRule(("m",), ("first",), ()), RewriteRule(("m",), ("second",), ()))
    newer = rewrite("a", RewriteRule(("m",), ("newer",), ()), created="2027")
    notes = notes_of("gemma", Said((), (newer, older)))

    assert asked(notes, "m") == "first"


def test_targets_are_drawn_by_weight() -> None:
    targets = Targets.of("r/0", ("a", "b", "never"), (9, 1, 0))

    assert [targets.name(b) for b in (0.0, 0.89, 0.91, 0.999999)] == ["a", "a", "b", "b"]
    assert Targets.of("r/0", ("a", "b"), ()).bounds == (0.5, 1.0)
    assert Targets.of("r/0", ("never", "b"), (0, 4)).name(0.0) == "b"


def test_where_policy_and_cluster_differ_the_policy_wins_and_it_is_said() -> None:
    program = compile_policy(
        [
            Source(
                "p",
                """sched 1
                pool gemma { inferencepool gemma }
                pool listed { endpoints "10.0.0.1:8000" }
                objective o { priority 1 }
                objective same { priority 2 }
                model chatbot { route gemma  priority 3 }
                model free { route listed }
                """,
            )
        ]
    )
    ref = InferencePoolRef("gemma")
    notes = {ref: Notes({"o": 9, "same": 2}, {"chatbot": "o", "free": "o", "unknown": "o"})}
    lines = list(overruled(program, notes))

    assert len(lines) == 2
    assert "objective `o` has priority 1 by the policy, and 9" in lines[0]
    assert "model `chatbot` has priority 3 by the policy" in lines[1]


def test_a_pool_that_no_cluster_knows_has_no_notes() -> None:
    directory = Directory({InferencePoolRef("gemma"): Notes({"o": 1})})

    assert directory.of(InferencePoolRef("gemma")).priorities == {"o": 1}
    assert directory.of(InferencePoolRef("other")) is NO_NOTES
    assert directory.of(None) is NO_NOTES
