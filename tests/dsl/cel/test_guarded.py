"""What a condition has made sure of may be computed before the loop, and still not fail there."""

import pytest

from tests.dsl.facts import ModelFacts, PoolFacts, RequestFacts, value

NO_BOUND = RequestFacts(asked=ModelFacts(objective_s=None))


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        ("pool.size > 0 && endpoint.ready ? 10 / pool.size > 2 : false", 0, False),
        ("pool.size > 0 && endpoint.ready ? 10 / pool.size > 2 : false", 2, True),
        ("pool.size > 0 && endpoint.ready ? 10 % pool.size == 0 : true", 0, True),
        ("pool.size > 0 && endpoint.ready ? 1.0 / double(pool.size) > 0.4 : false", 0, False),
    ],
)
def test_a_guarded_division_of_the_pool_does_not_fail(text: str, size: int, expected: bool) -> None:
    assert value(text, pool=PoolFacts(size=size)) is expected


@pytest.mark.parametrize(
    "text",
    [
        "has(model.objective) && endpoint.ready && model.objective < 2s",
        "has(model.objective) && endpoint.ready && model.objective + 1s < 2s",
        "has(model.objective) && endpoint.ready ? model.objective < 2s : false",
    ],
)
def test_a_guarded_value_that_is_missing_does_not_fail(text: str) -> None:
    assert value(text, request=NO_BOUND) is False
    assert value(text, request=RequestFacts(asked=ModelFacts(objective_s=0.5))) is True
