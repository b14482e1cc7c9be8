"""The page of a decision: what the story of an unusual decision looks like."""

import msgspec

from headrace.host.explain.page import page
from headrace.host.explain.story import ROWS_MAX, Cell, Failed, Row, Story, Weighed
from headrace.host.policytest.words import story
from tests.host.policytest.house import CHAT, results


def told(policy: str, state: str) -> Story:
    """Return the story of a plain request in *state*."""
    text = f'{CHAT}{policy}test "t" {{ {state} when request {{ "model": "chat" }} '
    (result,) = results(text + 'expect decision.pool == "gemma" }')
    assert result.ran is not None, result.error
    return story(result.ran)


def test_a_rule_that_fails_is_shown_with_its_endpoint() -> None:
    policy = (
        "filter odd = 10 / endpoint.running > 1\nscorer s = 1.0 / double(endpoint.queue)\n"
        "profile default { prefer odd  score 1 * s }\n"
    )
    state = 'given pool gemma { endpoint a {} endpoint b { "running": 1, "queue": 4 } }'
    lines = page(told(policy, state)).splitlines()

    assert "fault       odd: division-by-zero a" in lines
    assert any("error: division by zero" in line for line in lines)


def test_a_score_beyond_one_is_shown_with_what_it_counts_as() -> None:
    policy = "scorer big = 4.0 * endpoint.kv_cache\nprofile default { score 2 * big }\n"
    text = page(told(policy, 'given pool gemma { endpoint a { "kv_cache": 50% } }'))

    assert "2.00 (1.00) → 2.00" in text
    assert "clamped     big: 1 out of range" in text


def test_where_nobody_passes_the_page_says_how_one_was_taken_all_the_same() -> None:
    policy = "filter f = endpoint.kv_cache < 5%\nscorer s = 0.5\n"
    policy += "profile default { require f  score 1 * s }\n"
    state = 'given pool gemma { endpoint a { "kv_cache": 50%, "queue": 3 }'
    text = page(told(policy, state + ' endpoint b { "kv_cache": 50%, "queue": 1 } }'))

    assert "last resort: no endpoint passed" in text
    assert "b           queue 1  in flight 0  ready  ◀ picked" in text
    assert "a           queue 3  in flight 0  ready  fallback 1" in text


def test_many_endpoints_are_cut_short_and_counted() -> None:
    many = " ".join(f'endpoint e{i} {{ "queue": {i} }}' for i in range(30))
    found = told("", f"given pool gemma {{ {many} }}")

    assert len(found.rows) == ROWS_MAX
    assert f"and {30 - ROWS_MAX} endpoints more" in page(found)


def test_costs_are_shown_as_times() -> None:
    rows = (
        Row("a", "1:1", 0.25, (Cell(0.25, 0.25, 0.25),), 0, "picked", age_s=0.5),
        Row("b", "2:1", "∞", (Cell("error: missing", "∞", "∞"),), 1, age_s=2.0),
    )
    made = Story(
        id="7f", model="chat", pool="p", how="scored", pick="least", endpoint="a",
        profile="slo", took_us=61.4, columns=(Weighed("first", 1.0, True, head="1*first"),),
        rows=rows,
        faults=(Failed("first", "missing", "b"),),
    )  # fmt: skip
    lines = page(made).splitlines()

    assert lines[0] == "7f  model chat  priority 0  → pool p  profile slo  → a   61 µs"
    assert lines[-3].split() == ["a", "250ms", "250ms", "→", "250ms", "◀", "picked"]
    assert lines[-2].split() == ["b", "∞", "error:", "missing", "→", "∞"]
    assert lines[-1] == "metrics     500ms to 2s old"


def test_a_story_survives_json_to_the_last_bit() -> None:
    found = told("", 'given pool gemma { endpoint a { "kv_cache": 33.3% } endpoint b {} }')

    assert msgspec.json.decode(msgspec.json.encode(found), type=Story) == found


def test_a_wait_is_shown_with_its_rank_its_key_and_the_rule() -> None:
    rule = "queue by request.priority fair by request.model for up to 2s"
    policy = f"overload when pool.queue > 5.0 {{ {rule} }}\n"
    text = page(told(policy, 'given pool gemma { endpoint a { "queue": 9 } }'))

    assert "waited      2s, expired: at rank 10 for `chat`, 0 ahead:  pool.queue > 5.0" in text
    assert "answered    429 queue-timeout" in text
    assert "overload?   pool.queue > 5.0    yes" in text


def test_a_shed_whose_lot_did_not_fall_is_not_taken_for_the_end() -> None:
    policy = (
        "overload when pool.queue > 5.0 {\n"
        "  shed any when request.priority < 1 with chance 0%\n"
        "  shed when request.priority < -1\n}\n"
    )
    text = page(told(policy, 'given pool gemma { endpoint a { "queue": 9 } }'))

    assert text.count("shed?") == 2
    assert "→ a" in text
