"""`override` and `extends`: a statement replaces the one of the same verb, all others stand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.policy import check_policy, compile_policy
from headrace.dsl.problems.diagnostic import PolicyError
from headrace.dsl.program import OnTrouble, Pick, Program, Share, Streamed, Window
from headrace.dsl.source import Source

POOLS = 'pool a { endpoints "10.0.0.1:1" }\npool b { endpoints "10.0.0.2:1" }\n'
ROUTES = "model m { route a }\n"
STATEMENTS = {
    "stale": ["stale after 3s", "stale after 4s"],
    "adapters": ["adapters up to 2", "adapters up to 5"],
    "profile": ["profile p", "profile q"],
    "endpoints": ['endpoints "10.0.1.1:1"', 'endpoints "10.0.2.1:1", "10.0.2.2:1"'],
}
ARMOR = 'template "projects/acme/locations/eu/templates/t"'
PROFILES = "profile p { pick random }\nprofile q { pick random }\n"


def program(text: str) -> Program:
    return compile_policy([Source("t.sched", f"sched 1\n{text}")])


def said(choice: dict[str, int]) -> str:
    return " ".join(STATEMENTS[verb][at] for verb, at in choice.items())


CHOICES = st.dictionaries(st.sampled_from(sorted(STATEMENTS)), st.integers(0, 1))


@settings(max_examples=60, deadline=None)
@given(CHOICES, CHOICES)
def test_an_override_and_a_child_say_the_same_as_both_blocks_written_as_one(
    below: dict[str, int], above: dict[str, int]
) -> None:
    below = {"endpoints": 0, **below}
    rest = f"{ROUTES}{PROFILES}pool a {{ endpoints '10.9.9.9:1' }}\n"
    one = program(f"pool x {{ {said({**below, **above})} }}\n{rest}").pools["x"]
    over = program(f"override pool x {{ {said(above)} }}\npool x {{ {said(below)} }}\n{rest}")
    child = program(f"pool y {{ {said(below)} }}\npool x extends y {{ {said(above)} }}\n{rest}")

    for found in (over.pools["x"], child.pools["x"]):
        assert (found.endpoints, found.stale_after_s) == (one.endpoints, one.stale_after_s)
        assert (found.adapters_max, found.profile) == (one.adapters_max, one.profile)


def test_a_chain_of_any_length_is_resolved_in_any_order() -> None:
    links = [f"pool p{n} extends p{n - 1} {{ adapters up to {n} }}" for n in range(1, 1000)]
    text = "\n".join([*reversed(links), 'pool p0 { endpoints "10.0.0.1:1" stale after 9s }'])
    pools = program(f"{text}\nmodel m {{ route p999 }}").pools

    assert pools["p999"].stale_after_s == 9.0
    assert pools["p999"].adapters_max == 999
    assert all(pool.endpoints == ("10.0.0.1:1",) for pool in pools.values())


def test_who_says_another_source_says_that_the_first_no_longer_holds() -> None:
    text = 'pool x { select app = "x" port 9 }\npool y extends x { endpoints "10.0.0.3:1" }\n'
    pool = program(f"{text}model m {{ route 50% to x, 50% to y }}").pools["y"]

    assert (pool.selector, pool.endpoints) == (None, ("10.0.0.3:1",))


def test_an_adapter_that_extends_a_routed_model_has_no_route_left() -> None:
    models = program(f"{POOLS}{ROUTES}model n extends m {{ adapter of b }}").models

    assert (models["n"].adapter, models["n"].routes) == (True, (Share("b", 1.0),))


def test_one_of_several_names_of_a_block_can_be_overridden() -> None:
    text = f"{POOLS}model m as mm, n {{ priority 1 route a }}\noverride model m {{ priority 9 }}"
    models = program(text).models

    assert [models[name].priority for name in ("m", "mm", "n")] == [9, 9, 1]
    assert models["mm"].alias_of == "m"


def test_an_override_can_come_from_another_file() -> None:
    base = Source("base.sched", f"sched 1\n{POOLS}{ROUTES}")
    site = Source("site.sched", "sched 1\noverride model m { route b }\n")

    assert compile_policy([base, site]).models["m"].routes == (Share("b", 1.0),)
    assert compile_policy([site, base]).models["m"].routes == (Share("b", 1.0),)


def test_require_also_in_an_override_adds_to_what_the_block_says() -> None:
    text = f"""{POOLS}{ROUTES}
        filter up = endpoint.ready
        filter idle = endpoint.queue < 5
        profile default {{ require up  pick random }}
        override profile default {{ require also idle }}
        """
    profile = program(text).profiles["default"]

    assert [f.rule.name for f in profile.require] == ["up", "idle"]
    assert profile.pick is Pick.RANDOM


def test_a_class_keeps_its_place_and_a_guard_its_other_answers() -> None:
    text = f"""{POOLS}{ROUTES}
        class x when request.stream {{ priority 1 }}
        class y when request.stream {{ priority 2 }}
        guard g {{ template "projects/acme/locations/eu/templates/t"
            on error allow  on timeout allow }}
        override class x when !request.stream {{ priority 3 }}
        override guard g {{ on error log }}
        """
    found = program(text)

    assert [(c.name, c.priority) for c in found.classes] == [("x", 3), ("y", 2)]
    assert found.classes[0].when.rule.text == "!request.stream"
    assert (found.guards[0].on_error, found.guards[0].on_timeout) == (
        OnTrouble.LOG,
        OnTrouble.ALLOW,
    )


def test_a_profile_that_minimizes_can_extend_one_that_scores_and_the_other_way_round() -> None:
    text = f"""{POOLS}{ROUTES}
        scorer free = 1.0 - endpoint.kv_cache
        cost wait = endpoint.queue > 5 ? 2s : 0s
        profile default {{ score free  pick max ties by endpoint.running }}
        profile slo extends default {{ minimize wait }}
        profile back extends slo {{ score free }}
        """
    profiles = program(text).profiles

    assert (profiles["slo"].pick, profiles["slo"].terms) == (Pick.LEAST, ())
    assert (profiles["back"].pick, profiles["back"].costs) == (Pick.MAX, ())
    assert profiles["back"].ties == profiles["slo"].ties == profiles["default"].ties


def test_a_second_definition_in_another_file_is_told_of_override() -> None:
    files = [Source(n, f"sched 1\n{POOLS if n == 'a' else ''}{ROUTES}") for n in ("a", "b")]

    with pytest.raises(PolicyError, match="to change it write `override model m"):
        compile_policy(files)


@pytest.mark.parametrize(
    ("base", "over", "looks", "asks"),
    [
        ('patterns "x"', "detect card", (("x",), ("card",), ()), ""),
        ('patterns "x"  deny "y"', 'deny "z"', (("x",), (), ("z",)), ""),
        ('patterns "x"  detect card', ARMOR, ((), (), ()), "model_armor"),
        (ARMOR, 'deny "y"', ((), (), ("y",)), ""),
        (ARMOR, 'ask nemo "http://h" { config "c" }', ((), (), ()), "nemo"),
        ('ask nemo "http://h" { config "c" }', ARMOR, ((), (), ()), "model_armor"),
    ],
)
def test_a_guard_that_is_overridden_looks_by_itself_or_asks(
    base: str, over: str, looks: tuple[tuple[str, ...], ...], asks: str
) -> None:
    (found,) = program(f"{POOLS}{ROUTES} guard g {{ {base} }} override guard g {{ {over} }}").guards

    assert (found.patterns, found.detect, found.deny) == looks
    assert (found.ask.provider if found.ask else "") == asks


def test_an_overridden_guard_keeps_what_is_not_said_again() -> None:
    base = f"{ARMOR} inspect prompt, response  window 300 characters, overlap 30  cache for 1min"
    over = "window 2 sentences  stream observe  on match log"
    (found,) = program(f"{POOLS}{ROUTES} guard g {{ {base} }} override guard g {{ {over} }}").guards

    assert found.window == Window("sentences", 2, 64)
    assert (found.cache_s, found.streamed) == (60.0, Streamed.OBSERVE)


def test_safety_has_no_name_to_override_it_by() -> None:
    text = f'{POOLS}{ROUTES} guard g {{ deny "x" }} override safety {{ inspect only }}'

    found = check_policy([Source("t.sched", f"sched 1\n{text}")])
    assert "S226" in {d.code for d in found}
