"""What the vocabulary says of a pool is what a plain computation over its endpoints finds."""

import math
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Number, Program
from headrace.dsl.source import Source
from headrace.dsl.vocabulary import VARIABLES
from headrace.extensions.picker.snapshot import Endpoint, pool_state
from tests.extensions.picker.build import Asked

FIGURES = {
    "queue": "waiting_scraped",
    "running": "running",
    "in_flight": "in_flight",
    "kv_cache": "kv_cache",
}
NAMES = [v.name for v in VARIABLES if v.name.startswith(("pool.max.", "pool.min.", "pool.p90."))]


def compiled(names: Sequence[str]) -> Mapping[str, Number]:
    """Return each of *names* as a rule: the order of a queue takes any number."""
    overloads = [
        f"overload when pool.ready > {i} {{ queue by {name} for up to 1s }}"
        for i, name in enumerate(names)
    ]
    text = "\n".join(
        ["sched 1", 'pool p { endpoints "10.0.0.1:8000" }', "model m { route p }", *overloads]
    )
    program: Program = compile_policy([Source("t", text)])
    queues = [overload.queue for overload in program.overloads]
    return {name: queue.by for name, queue in zip(names, queues, strict=True) if queue}


RULES = compiled(NAMES)


def nine_in_ten(values: Sequence[float]) -> float:
    """Return the lowest value that 90% of *values* do not exceed."""
    return min(v for v in values if 10 * sum(other <= v for other in values) >= 9 * len(values))


PLAIN: Mapping[str, Callable[[Sequence[float]], float]] = {
    "max": max,
    "min": min,
    "p90": nine_in_ten,
}
COUNTS = st.integers(0, 9)


@st.composite
def endpoints(draw: st.DrawFn) -> list[Endpoint]:
    size = draw(st.integers(0, 23))
    return [
        Endpoint(
            f"e{i}",
            f"10.0.0.{i}:8000",
            ready=draw(st.booleans()),
            queue=99,  # with our own on top, which no figure of the pool counts
            running=draw(COUNTS),
            in_flight=draw(COUNTS),
            kv_cache=draw(st.floats(0.0, 1.0)),
            waiting_scraped=draw(COUNTS),
        )
        for i in range(size)
    ]


def test_every_figure_is_in_the_vocabulary() -> None:
    kinds = {"max": FIGURES, "min": FIGURES, "p90": ("queue", "running", "kv_cache")}

    assert sorted(NAMES) == sorted(f"pool.{k}.{f}" for k, names in kinds.items() for f in names)
    assert RULES.keys() == set(NAMES)


@given(endpoints())
def test_a_figure_of_a_pool_is_that_of_its_ready_endpoints(them: list[Endpoint]) -> None:
    pool = pool_state("p", them)
    for name, rule in RULES.items():
        _, kind, figure = name.split(".")
        values = [getattr(e, FIGURES[figure]) for e in them if e.ready]

        found = rule.value(Asked(), pool, 0.0)

        assert found == (PLAIN[kind](values) if values else 0), name
        assert isinstance(found, float) or kind != "p90"  # a quantile is a double


@pytest.mark.parametrize("size", [*range(1, 40), 100, 110, 990, 1000])
def test_nine_in_ten_is_no_rounding_error_off(size: int) -> None:
    them = [
        Endpoint(str(i), f"10.0.0.{i}:1", ready=True, running=i, waiting_scraped=i)
        for i in range(1, size + 1)
    ]

    assert pool_state("p", them).p90.queue == math.ceil(9 * size / 10)
    assert pool_state("p", them).max.running == size
