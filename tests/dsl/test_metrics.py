"""Which metrics of servers a policy asks for is known when it is compiled, and bounded."""

import pytest

from headrace.dsl.checks.metrics import METRICS_MAX, NAME_CHARS_MAX
from headrace.dsl.policy import check_policy, compile_policy
from headrace.dsl.source import Source

BASE = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\nmodel chat { route gemma }\n'


def asked(text: str) -> tuple[str, ...]:
    """Return the names that a policy with *text* in it asks for."""
    return compile_policy([Source("t", BASE + text)]).metrics


def errors(text: str) -> list[tuple[str, str]]:
    """Return code and place of every error about a metric of a policy with *text* in it."""
    found = check_policy([Source("t", BASE + text)])
    return [(d.code, d.span.text) for d in found if d.code in ("S203", "S218")]


def test_the_names_of_all_rules_are_found_once_and_in_order() -> None:
    text = """
    let swaps = endpoint.metric("vllm:num_preemptions_total").orValue(0.0)
    filter calm = swaps < 10.0 && endpoint.metric("b").hasValue()
    filter other = [1.0].exists(x, x < endpoint.metric("a").optMap(m, m + 1.0).orValue(0.0))
    scorer rested = 1.0 / (1.0 + swaps)
    profile default {
      require calm, other
      score 1 * rested
      pick max ties by endpoint.metric("c").orValue(endpoint.metric("d").orValue(0.0))
    }
    """

    assert asked(text) == ("a", "b", "c", "d", "vllm:num_preemptions_total")
    assert asked("") == ()


@pytest.mark.parametrize(
    ("name", "errors_"),
    [
        ('"vllm:x_total"', []),
        ('"a" + "b"', [("S203", '"a" + "b"')]),
        ("endpoint.name", [("S203", "endpoint.name")]),
        ('""', [("S218", '""')]),
        ('"9lives"', [("S218", '"9lives"')]),
        ('"x{engine=0}"', [("S218", '"x{engine=0}"')]),
        ('"x\\ny"', [("S218", '"x\\ny"')]),
        (f'"{"x" * NAME_CHARS_MAX}"', []),
        (f'"{"x" * NAME_CHARS_MAX}x"', [("S218", f'"{"x" * NAME_CHARS_MAX}x"')]),
    ],
)
def test_a_name_is_written_out_and_one_that_a_server_can_have(
    name: str, errors_: list[tuple[str, str]]
) -> None:
    text = f"filter f = endpoint.metric({name}).hasValue()\nprofile default {{ require f }}"

    assert errors(text) == errors_


def test_how_many_names_there_may_be_is_bounded() -> None:
    def asking(count: int) -> str:
        filters = [f'filter f{i} = endpoint.metric("m{i}").hasValue()' for i in range(count)]
        names = ", ".join(f"f{i}" for i in range(count))
        return "\n".join([*filters, f"profile default {{ require {names} }}"])

    assert len(asked(asking(METRICS_MAX))) == METRICS_MAX
    assert errors(asking(METRICS_MAX + 1)) == [("S218", f'"m{METRICS_MAX}"')]
