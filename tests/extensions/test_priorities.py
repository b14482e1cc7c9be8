"""How much a request matters: policy and cluster, header and model."""

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.serving import InferencePoolRef
from headrace.dsl.source import Source
from headrace.extensions.directory import Directory, Notes
from headrace.extensions.priorities import Priorities, priorities

PROGRAM = compile_policy(
    [
        Source(
            "p",
            """sched 1
            pool gemma  { inferencepool gemma }
            pool listed { endpoints "10.0.0.1:8000" }
            objective both { priority 1 }
            objective own  { priority 2 }
            trust { objective from true }
            model plain   { route 50% to gemma, 50% to listed }
            model zero    { route gemma  priority 0 }
            objective own0 { priority 0 }
            model none    { route gemma  objective own0 }
            model aimed   { route gemma  objective own }
            model said as alias { route gemma }
            """,
        )
    ]
)
NOTES = Notes({"both": 11, "theirs": 12}, dict.fromkeys(PROGRAM.models, "theirs"))


@pytest.fixture
def known() -> Priorities:
    return priorities(PROGRAM, Directory({InferencePoolRef("gemma"): NOTES}))


@pytest.mark.parametrize(
    ("named", "pool", "found"),
    [
        ("own", "gemma", (2, "own")),
        ("both", "gemma", (1, "both")),
        ("theirs", "gemma", (12, "theirs")),
        ("theirs", "listed", None),
        ("nobodys", "gemma", None),
    ],
)
def test_an_objective_that_is_named_is_the_policys_before_the_clusters(
    known: Priorities, named: str, pool: str, found: tuple[int, str] | None
) -> None:
    assert known.find(named, pool) == found


def test_a_request_that_names_none_has_none(known: Priorities) -> None:
    assert known.find("", "gemma") is None


@pytest.mark.parametrize(
    ("model", "pool", "found"),
    [
        ("plain", "gemma", (12, "theirs")),
        ("plain", "listed", (0, "")),
        ("zero", "gemma", (12, "theirs")),
        ("none", "gemma", (0, "own0")),
        ("aimed", "gemma", (2, "own")),
        ("alias", "gemma", (12, "theirs")),
    ],
)
def test_what_a_model_states_goes_before_an_objective_that_names_it(
    known: Priorities, model: str, pool: str, found: tuple[int, str]
) -> None:
    assert known.of_model(PROGRAM.models[model], model, pool) == found


def test_what_the_cluster_says_counts_from_the_moment_it_says_it() -> None:
    directory = Directory()
    known = priorities(PROGRAM, directory)
    before = known.of_model(PROGRAM.models["plain"], "plain", "gemma")
    directory.notes = {InferencePoolRef("gemma"): NOTES}

    assert before == (0, "")
    assert known.of_model(PROGRAM.models["plain"], "plain", "gemma") == (12, "theirs")
