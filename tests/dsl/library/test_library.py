"""The library: what a policy gets of it, and what its own definitions do to it."""

import pytest

from headrace.dsl import library
from headrace.dsl.effective import flatten, text
from headrace.dsl.policy import check_policy, compile_policy
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import PolicyError
from headrace.dsl.source import Source
from tests.dsl.library.ask import program

HEAD = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\nmodel chatbot { route gemma }\n'
RULES = [n for n in library.names() if library.definition(n).kind != "let"]


def source(text: str) -> Source:
    return Source("mine.sched", HEAD + text)


@pytest.mark.parametrize("name", RULES)
def test_every_name_compiles_alone_and_brings_no_finding_of_its_own(name: str) -> None:
    found = program(name).rules

    assert name in [rule.name for rule in found]
    assert all(library.is_of(rule.span) for rule in found if rule.name != "default.ties")


@pytest.mark.parametrize("each", library.sources(), ids=lambda s: s.name)
def test_the_library_is_formatted_and_says_where_every_formula_is_from(each: Source) -> None:
    from headrace.dsl.format import format_source

    assert format_source(each) == each.text
    for name in RULES:
        span = library.definition(name).span
        if span.source is each:
            above = each.text[: span.start].rstrip().rsplit("\n\n", 1)[-1]
            assert above.lstrip().startswith("#"), name


def test_what_a_policy_defines_is_not_taken_from_the_library() -> None:
    profile = "profile default { score queue_scorer  pick weighted of top 3 }"
    made = compile_policy([source(f"scorer queue_scorer = 50%\n{profile}")])

    (term,) = made.profiles["default"].terms
    assert term.scorer.rule.span.source.name == "mine.sched"


def test_what_is_not_used_is_not_there() -> None:
    made = compile_policy([source("profile default { score kv_cache_utilization_scorer }")])

    assert [rule.name for rule in made.rules] == ["kv_cache_utilization_scorer"]


def test_a_let_of_the_library_is_changed_by_override() -> None:
    said = "override let load_aware_threshold = 64\nprofile default { score load_aware_scorer }"

    assert check_policy([source(said)]) == ()


def test_a_let_of_the_library_that_is_defined_again_is_an_error_that_says_override() -> None:
    said = "let load_aware_threshold = 64\nprofile default { score load_aware_scorer }"

    (found,) = [d for d in check_policy([source(said)]) if d.level is Level.ERROR]

    assert (found.code, found.span.source.name) == ("S207", "mine.sched")
    assert "override let load_aware_threshold" in found.help


def test_an_override_of_the_wrong_type_is_an_error_at_the_override() -> None:
    said = 'override let load_aware_threshold = "x"\nprofile default { score load_aware_scorer }'

    with pytest.raises(PolicyError) as raised:
        compile_policy([source(said)])

    assert [d.span.source.name for d in raised.value.diagnostics] == ["mine.sched"]


def test_a_scorer_of_the_library_is_no_filter() -> None:
    (found,) = [
        d
        for d in check_policy([source("profile default { require queue_scorer }")])
        if d.level is Level.ERROR
    ]

    assert found.code == "S211"
    assert "is a scorer; a filter is needed here" in found.help


def test_show_effective_prints_what_is_used_of_the_library_and_compiles_to_the_same() -> None:
    sources = [source("profile default { score 2 * queue_scorer + load_aware_scorer }")]
    made = compile_policy(sources)

    shown = text(flatten(sources, made))

    assert "scorer queue_scorer = candidates.low(endpoint.queue)" in shown
    assert "<library>/scorers.sched:" in shown
    assert "lora" not in shown
    again = compile_policy([Source("again.sched", shown)])
    assert text(flatten([Source("again.sched", shown)], again)).count("queue_scorer") == 2
