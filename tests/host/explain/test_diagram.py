"""The value diagram: where values hang, how wide it gets, and what is left out."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.asking import ask
from headrace.dsl.cel.kinds import BOOL, COUNT, DOUBLE, DURATION, RATIO, STRING, STRINGS, Type
from headrace.dsl.program import RuleFault
from headrace.dsl.source import Source
from headrace.extensions.body_router.values import Facts
from headrace.extensions.picker.snapshot import Endpoint, pool_state
from headrace.host.explain.diagram import Diagram, Hanging, diagram, draw
from headrace.host.explain.parts import Frame, Parts
from headrace.host.explain.wording import shown

REQUEST = Facts(id="r", model="chat", priority=3, headers={"x-t": "日本語"})
ENDPOINT = Endpoint("a", "10.0.0.1:8000", ready=True, queue=9, kv_cache=0.62, adapters=("x", "y"))
FRAME = Frame(REQUEST, pool_state("gemma", [ENDPOINT]), ENDPOINT, 0.0)
LETS = Source("p.sched", 'sched 1\npool p { endpoints "1.1.1.1:1" }\nmodel m { route p }\n'
              "let busy = endpoint.queue > 5\n")  # fmt: skip


def drawn(text: str, width: int = 100) -> list[str]:
    """Return the diagram of *text* as lines."""
    typed = ask(text, [LETS])
    parts = Parts()
    made = diagram(typed.span, parts.of(typed, FRAME), typed, parts.value(typed, FRAME))
    return draw(made, width)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "endpoint.kv_cache < 95% && endpoint.queue < 5",
            [
                "endpoint.kv_cache < 95% && endpoint.queue < 5",
                "│                 │     │  │              │",
                "62%               true  │  9              false",
                "                        false",
            ],
        ),
        # What is not chosen has no value, and neither has what stands behind a `has` that said no.
        (
            "has(endpoint.gpu) && endpoint.gpu > 90%",
            [
                "has(endpoint.gpu) && endpoint.gpu > 90%",
                "│                 │",
                "false             false",
            ],
        ),
        (
            "endpoint.queue > 5 ? endpoint.running : 10 / endpoint.running",
            [
                "endpoint.queue > 5 ? endpoint.running : 10 / endpoint.running",
                "│              │   │ │",
                "9              │   0 0",
                "               true",
            ],
        ),
        # A `let` shows its value, not its text; a string's comment sign is no comment.
        (
            'busy && request.id == "#"',
            [
                'busy && request.id == "#"',
                "│    │  │          │",
                'true │  "r"        false',
                "     false",
            ],
        ),
        (
            "10 / endpoint.running > 1",
            [
                "10 / endpoint.running > 1",
                "   │ │                │",
                "   │ 0                error: division by zero",
                "   error: division by zero",
            ],
        ),
        (
            "endpoint.adapters.exists(a, a == request.adapter)",
            [
                "endpoint.adapters.exists(a, a == request.adapter)",
                "│                 │",
                '["x", "y"]        false',
            ],
        ),
        (
            'request.header("x-t") == "a"  # what a tenant is\n   && true',
            [
                'request.header("x-t") == "a" && true',
                "│                     │      │",
                '"日本語"              false  false',
            ],
        ),
    ],
)
def test_values_hang_under_the_parts_they_are_of(text: str, expected: list[str]) -> None:
    assert drawn(text) == expected


def test_a_long_expression_is_broken_into_rows_with_their_own_values() -> None:
    rows = drawn("endpoint.queue > 5 && endpoint.kv_cache > 10% && request.priority > 2", 40)

    assert rows[0] == "endpoint.queue > 5 && endpoint.kv_cache"
    assert rows[1].startswith("│              │   │  │")
    assert any(row.startswith("> 10% && request.priority > 2") for row in rows)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12)


@given(
    st.text(st.sampled_from("ab 日.&("), max_size=80),
    st.lists(st.tuples(st.integers(0, 80), WORDS), max_size=10),
    st.integers(20, 60),
)
@settings(max_examples=80, deadline=None)
def test_every_value_is_drawn_once_under_its_place(
    text: str, values: list[tuple[int, str]], width: int
) -> None:
    places = {at: f"v{i}{word}" for i, (at, word) in enumerate(values) if at < len(text)}
    hanging = tuple(Hanging(at, value) for at, value in sorted(places.items()))

    lines = draw(Diagram(text, "", hanging), width)

    assert all("\n" not in line for line in lines)
    for value in places.values():
        assert sum(value in line for line in lines) >= 1


def test_columns_are_those_of_the_terminal_and_not_characters() -> None:
    lines = draw(Diagram("日本 == x", "", (Hanging(3, "no"), Hanging(6, "1"))))

    assert lines == ["日本 == x", "     │  │", "     no 1"]
    assert unicodedata.east_asian_width("日") == "W"


@pytest.mark.parametrize(
    ("value", "type_", "text"),
    [
        (0.625, RATIO, "62.5%"),
        (0.25, DURATION, "250ms"),
        (90.0, DURATION, "90s"),
        (float("inf"), DURATION, "∞"),
        (4.0, DOUBLE, "4.0"),
        (1e30, DOUBLE, "1e+30"),
        (7, COUNT, "7"),
        (True, BOOL, "true"),
        ("a\x1b[2Jb", STRING, '"a\N{REPLACEMENT CHARACTER}[2Jb"'),
        ("x" * 99, STRING, '"' + "x" * 44 + "..."),
        (list("abcdef"), STRINGS, '["a", "b", "c", "d", 2 more]'),
        (RuleFault("division-by-zero"), BOOL, "error: division by zero"),
        (None, STRING, "nothing"),
    ],
)
def test_a_value_is_written_as_in_a_policy_and_cannot_move_the_cursor(
    value: object, type_: Type, text: str
) -> None:
    assert shown(value, type_) == text
