"""What a running Envoy cannot know of a new policy is said."""

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Site
from headrace.extensions.stage import Outcome
from headrace.host.generation import Generation, build_generation
from headrace.host.serve.envoy_drift import envoy_drift
from tests.host.serve.house import policy

FIRST = policy(1, ["10.0.0.1:80"])
SMALL = FIRST.replace("body_router  safety  picker  observability", "body_router  picker")


def built(text: str) -> Generation:
    """Return the generation of the policy *text*."""

    def report(outcome: Outcome) -> None:
        raise AssertionError(outcome)

    program = compile_policy([Source("p.sched", text)])
    return build_generation(program, Site(Store.for_program(program), report))


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (FIRST, FIRST, []),
        (FIRST, SMALL, []),
        (SMALL, FIRST, ["chain `default`: `response_body_mode` is NONE, and it needs STREAMED"]),
        (
            FIRST,
            policy(1, ["10.0.0.1:80", "10.0.0.2:80"]),
            ["the cluster of pool `gemma` has not: 10.0.0.2:80"],
        ),
        (
            FIRST,
            FIRST.replace('"10.0.0.1:80"', '"10.0.0.1:80" ranks behind port 81', 1),
            ["the cluster of pool `gemma` has not: 10.0.0.1:81"],
        ),
        (FIRST, FIRST.replace("gemma", "other"), ["pool `other` has no cluster and no route"]),
        (FIRST, FIRST + "chain second { body_router picker }\n", ["chain `second` is new"]),
        (
            FIRST,
            FIRST + 'trust { endpoint from request.header("x-inside") == "yes" }\n',
            ["other control headers of clients are trusted"],
        ),
    ],
)
def test_what_envoy_was_not_told_is_named(before: str, after: str, says: list[str]) -> None:
    notes = envoy_drift(built(before), built(after))

    assert [
        note for note in notes if not note.startswith("chain `default`: `response_trailer")
    ] == (says)
