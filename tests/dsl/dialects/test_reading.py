"""A dialect file is a dialect, or every mistake in it at its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dsl.dialects.builtin import built_in, text
from headrace.dsl.dialects.dialect import (
    GPU_SOURCES,
    METRIC_DIALECTS,
    AdapterInfo,
    Combine,
    Dialect,
    Metric,
    Unit,
)
from headrace.dsl.dialects.reading import FILE_CHARS_MAX, PLACES_MAX, read
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.source import Source


def found(toml: str, base: Dialect | None = None) -> tuple[Dialect | None, list[tuple[str, str]]]:
    """Return the dialect of *toml*, and every problem with the text it points at."""
    problems = Problems()
    made = read("mine.toml", Source("mine.toml", toml), problems, base)
    assert {d.code for d in problems.found} <= {"S229"}
    return made, [(d.span.text, d.message) for d in problems.found]


@pytest.mark.parametrize("name", [*METRIC_DIALECTS, *GPU_SOURCES])
def test_what_comes_with_headrace_is_a_file_like_any_other(name: str) -> None:
    made, problems = found(text(name))

    assert problems == []
    assert made is not None
    assert made.name == "mine.toml"
    assert (made.waiting, made.gpu) == (built_in(name).waiting, built_in(name).gpu)
    assert built_in(name) is built_in(name)


def test_every_setting_is_read() -> None:
    made, problems = found(
        """
        path = "/stats"
        port = 9100
        gzip = true
        models = ""
        prefix = "my:"
        exports = ["a", "b"]
        [queue]
        metric = "my:requests"
        where = { b = "2", a = "1" }
        label = "n"
        combine = "max"
        range = [0, 1.5]
        [[kv_cache]]
        metric = "my:kv"
        unit = "percent"
        [[kv_cache]]
        metric = "my:kv_old"
        [adapters]
        metric = "my:lora"
        running = "on"
        waiting = "queued"
        max = "most"
        """
    )

    assert problems == []
    assert made == Dialect(
        name="mine.toml",
        path="/stats",
        port=9100,
        gzip=True,
        models="",
        waiting=(
            Metric(
                b"my:requests",
                Unit.COUNT,
                Combine.MAX,
                (("a", "1"), ("b", "2")),
                "n",
                0.0,
                1.5,
            ),
        ),
        kv_cache=(
            Metric(b"my:kv", Unit.PERCENT, Combine.MEAN),
            Metric(b"my:kv_old", Unit.RATIO, Combine.MEAN),
        ),
        adapters=AdapterInfo(b"my:lora", "on", "queued", "most"),
        prefix="my:",
        exports=frozenset({"a", "b"}),
    )


def test_what_a_file_does_not_say_is_what_it_extends() -> None:
    made, problems = found('extends = "vllm"\n[queue]\nmetric = "x"\n', built_in("vllm"))

    assert problems == []
    assert made is not None
    assert made.waiting == (Metric(b"x"),)
    assert made.running == built_in("vllm").running
    assert made.exports == built_in("vllm").exports


@pytest.mark.parametrize(
    ("toml", "place"),
    [
        ("queue = 5", "queue = 5"),
        ('queue = { metric = "a b" }', "queue = { metric = \"a b\" }"),
        ('[queue]\nmetric = "x"\n[[kv_cache]]\nmetric = "y"\n[[kv_cache]]\nunit = "ratio"',
         "[[kv_cache]]"),
        ('[queue]\nmetric = "x"\nwhere = "y"', 'where = "y"'),
        ('[queue]\nmetric = "x"\nrange = ["a", 1]', 'range = ["a", 1]'),
        ('[queue]\nmetric = "x"\nrange = [0, 1, 2]', "range = [0, 1, 2]"),
        ('[queue]\nmetric = "x"\nlabel = 5', "label = 5"),
        ('[ queue ]\nmetric = 5', "metric = 5"),
        ('[queue]\nmetric = "x"\n[adapters]\nmetric = "y"\nrunning = ""', 'running = ""'),
        ('gzip = "yes"\n[queue]\nmetric = "x"', 'gzip = "yes"'),
        ('port = true\n[queue]\nmetric = "x"', "port = true"),
        ('models = "x"\n[queue]\nmetric = "x"', 'models = "x"'),
        ('queue.metric = "x"\nqueue.speed = 3', 'queue.metric = "x"'),
    ],
)  # fmt: skip
def test_a_mistake_is_shown_where_it_stands(toml: str, place: str) -> None:
    made, problems = found(toml)

    assert made is None
    assert [text for text, _ in problems] == [place]


def test_files_and_lists_are_bounded() -> None:
    many = '[[queue]]\nmetric = "x"\n' * (PLACES_MAX + 1)
    labels = ", ".join(f'a{n} = "b"' for n in range(9))

    assert found("#" * (FILE_CHARS_MAX + 1))[0] is None
    assert found(many)[1] == [("[[queue]]", "`[[queue]]` stands at most 8 times")]
    assert found(f'[queue]\nmetric = "x"\nwhere = {{ {labels} }}')[0] is None
    assert found(f'exports = {["a"] * 2001}\n[queue]\nmetric = "x"')[0] is None
    assert found("a = " + "[" * 5000)[0] is None


@given(st.text(max_size=60), st.integers(0, 200), st.integers(0, 40))
def test_no_text_breaks_the_reader(noise: str, at: int, cut: int) -> None:
    whole = text("triton-tensorrt-llm")
    made, problems = found(whole[:at] + noise + whole[at + cut :])

    assert (made is None) is bool(problems)
