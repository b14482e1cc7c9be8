"""What a condition makes sure of, and what an expression costs at worst."""

import pytest

from headrace.dsl.cel import cost
from tests.dsl.facts import checked


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("endpoint.queue < 128 ? 1.0 - double(endpoint.queue) / 128.0 : 0.0", 0.0, 1.0),
        ("128 > endpoint.queue ? endpoint.queue : 0", 0, 127),
        ("endpoint.queue <= 128 ? endpoint.queue : 0", 0, 128),
        ("!(endpoint.queue >= 8) && endpoint.queue > 2 ? endpoint.queue : 5", 3, 7),
        ("endpoint.queue >= 8 || endpoint.queue == 0 ? 5 : endpoint.queue", 0, 7),
        ("endpoint.kv_cache > 50% ? endpoint.kv_cache : 75%", 0.5, 1.0),
        ("endpoint.queue == 4 ? endpoint.queue : 4", 4, 4),
        ("endpoint.queue != 4 ? 4 : endpoint.queue", 4, 4),
        ("endpoint.queue < 10 ? (endpoint.queue > 5 ? endpoint.queue : 6) : 9", 6, 9),
        ("endpoint.queue < -1 ? endpoint.queue : 0", 0, 2**31 - 1),
        ("math.least(endpoint.queue, 128)", 0, 128),
        ("math.greatest(endpoint.kv_cache, 25%)", 0.25, 1.0),
    ],
)
def test_a_branch_knows_what_its_condition_says(text: str, low: float, high: float) -> None:
    found = checked(text)[0].numbers

    assert (found.lo, found.hi, found.nan) == (low, high, False)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("endpoint.adapters", 64),
        ("request.headers", 128),
        ("[1, 2, 3]", 3),
        ("{'a': 1}", 1),
        ("{endpoint.name: 1, 'b': 2}", 2),
        ("[1, ?optional.of(2)]", 2),
        ("[1] + [2, 3]", 3),
        ("endpoint.ready ? [1] : [2, 3]", 2),
        ("endpoint.adapters.filter(a, a != '')", 64),
        ("request.path.split('/')", 1000),
        ("[1] + lists.range(endpoint.queue)", 1000),
        ("[{'a': 1}].transformMapEntry(i, m, m)", 1000),
    ],
)
def test_a_list_is_at_most_so_long(text: str, items: int) -> None:
    assert cost.items_max(checked(text)[0]) == items


def test_steps_multiply_in_macros_and_add_up_elsewhere() -> None:
    one = cost.steps(checked("endpoint.adapters.exists(a, a == 'x')")[0])
    two = cost.steps(checked("endpoint.adapters.exists(a, a == 'x') || endpoint.ready")[0])
    nested = cost.steps(checked("endpoint.adapters.all(a, endpoint.adapters.all(b, a == b))")[0])

    assert one == 2 + 64 * 3
    assert two == one + 2
    assert nested == 2 + 64 * (2 + 64 * 3)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_what_could_take_too_long_is_an_error(levels: int) -> None:
    text = "true"
    for level in range(levels):
        text = f"endpoint.adapters.all(x{level}, x{level} != '' && {text})"

    found = [d.code for d in checked(text)[1]]

    assert found == ([] if levels < 3 else ["S318"])
