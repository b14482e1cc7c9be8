import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from headrace.dsl.program import EndpointFilter, Pick, PoolValues, Profile, RuleFault, Term
from headrace.extensions.picker.decide import Question, decide, least
from headrace.extensions.picker.decision import Decision, Fault, How
from headrace.extensions.picker.snapshot import Endpoint, pool_state
from headrace.extensions.picker.subset import Subset
from tests.extensions.picker.build import (
    ALIVE,
    HAS_ROOM,
    KV_FREE,
    PREFIX,
    RUNNING,
    SHORT_QUEUE,
    Asked,
    keep,
    profile,
    score,
    span,
)

ENDPOINTS = st.lists(
    st.builds(
        Endpoint,
        name=st.just("name"),
        address=st.integers(1, 40).map("10.0.0.{}:8000".format),
        ready=st.booleans(),
        scraped_at_s=st.sampled_from([0.0, 9.0, 10.0]),
        queue=st.integers(0, 3),
        running=st.integers(0, 2),
        in_flight=st.integers(0, 2),
        kv_cache=st.sampled_from([0.0, 0.5, 0.97]),
    ),
    max_size=10,
    unique_by=lambda e: e.address,
)
SCORERS = [
    PREFIX,
    KV_FREE,
    SHORT_QUEUE,
    score("wild", lambda e, r: [-1.0, 2.0, math.nan, RuleFault("overflow")][e.queue]),
]
FILTERS = st.lists(
    st.sampled_from([ALIVE, HAS_ROOM, keep("odd", lambda e, _: RuleFault("missing"))]), max_size=2
).map(tuple[EndpointFilter, ...])
PROFILES = st.builds(
    Profile,
    name=st.just("default"),
    span=st.just(span("profile default")),
    require=FILTERS,
    prefer=FILTERS,
    terms=st.lists(
        st.builds(Term, st.sampled_from([0.5, 1.0, 3.0]), st.sampled_from(SCORERS)), max_size=4
    ).map(tuple[Term, ...]),
    pick=st.sampled_from(Pick),
    pick_top=st.integers(1, 4),
    ties=st.sampled_from([None, RUNNING]),
)


def ask(endpoints: list[Endpoint], by: Profile, **settings: object) -> Question:
    question = Question(pool_state("gemma", endpoints), Asked(), by, {by.name: by}, 10.0)
    return replace(question, **settings)  # type: ignore[arg-type]


def nodes(*queues: int) -> list[Endpoint]:
    """Return ready endpoints a, b, c … with these queues."""
    return [
        Endpoint(chr(97 + i), f"{chr(97 + i)}:1", ready=True, scraped_at_s=10.0, queue=q)
        for i, q in enumerate(queues)
    ]


SHUFFLED = ENDPOINTS.flatmap(lambda some: st.tuples(st.just(some), st.permutations(some)))


@settings(max_examples=60)
@given(SHUFFLED, PROFILES, st.integers(0, 3))
def test_the_order_of_the_endpoints_decides_nothing(
    orders: tuple[list[Endpoint], list[Endpoint]], by: Profile, seed: int
) -> None:
    one, other = (decide(ask(endpoints, by, seed=seed)) for endpoints in orders)

    assert one.destinations == other.destinations
    assert one.how is other.how


@given(ENDPOINTS, PROFILES)
def test_every_endpoint_is_accounted_for_and_every_destination_is_fit(
    endpoints: list[Endpoint], by: Profile
) -> None:
    decision = decide(ask(endpoints, by))
    rows = decision.rows()
    known = {e.address: e for e in endpoints}

    assert sorted(r.endpoint.address for r in rows) == sorted(known)
    assert all(bool(r.dropped_by) != (r.total is not None) for r in rows)
    assert len(set(decision.destinations)) == len(decision.destinations) <= 3
    assert tuple(r.endpoint.address for r in rows if r.rank is not None) == decision.destinations
    assert (decision.chosen is None) == (decision.how is How.NONE)
    if decision.how is How.SCORED:
        for address in decision.destinations:
            e = known[address]
            assert all(
                f.column([e], Asked(), decision_pool(decision), 10.0) == [True] for f in by.require
            )
            assert e.ready or not any(x.ready for x in endpoints)
    else:
        assert all(known[address].ready for address in decision.destinations)


def decision_pool(decision: Decision) -> PoolValues:
    return pool_state(decision.pool, decision.endpoints)


@given(ENDPOINTS, PROFILES)
def test_scores_lie_between_0_and_1_and_totals_are_their_weighted_sum(
    endpoints: list[Endpoint], by: Profile
) -> None:
    decision = decide(ask(endpoints, by))

    for row in decision.rows():
        assert all(0.0 <= c.score <= 1.0 for c in row.cells)
        if row.total is not None:
            assert row.total == pytest.approx(sum(c.weighted for c in row.cells))
    if by.pick is Pick.MAX and decision.how is How.SCORED:
        assert max(decision.totals) == max(
            t
            for e, t in zip(decision.scored, decision.totals, strict=True)
            if e.address == decision.chosen
        )
        assert decision.margin is None or decision.margin >= 0.0


@given(ENDPOINTS, PROFILES)
def test_a_decision_can_be_made_again_and_told_in_json(
    endpoints: list[Endpoint], by: Profile
) -> None:
    decision = decide(ask(endpoints, by))

    assert decide(ask(endpoints, by)).as_json() == decision.as_json() or decision.faults
    assert [r["endpoint"] for r in decision.as_json()["endpoints"]] == [
        r.endpoint.address for r in decision.rows()
    ]


def test_the_highest_weighted_sum_wins_and_the_next_ones_are_the_fallbacks() -> None:
    by = profile(terms=(Term(3.0, PREFIX), Term(2.0, SHORT_QUEUE)))
    asked = Asked(prefix={"c:1": 0.5, "d:1": 0.1})
    decision = decide(ask(nodes(0, 2, 1, 9), by, request=asked))

    assert decision.destinations == ("c:1", "a:1", "b:1")
    assert decision.runner_up == "a:1"
    assert decision.margin == pytest.approx(3 * 0.5 + 2 * 0.5 - 2.0)
    assert [(c.scorer, c.raw, c.weighted) for c in decision.rows()[0].cells] == [
        ("prefix", 0.5, 1.5),
        ("short_queue", 0.5, 1.0),
    ]


def test_a_prefer_that_would_leave_nothing_is_skipped_and_said() -> None:
    never = keep("never", lambda e, _: False)
    short = keep("short", lambda e, _: e.queue < 2)
    decision = decide(ask(nodes(0, 5), profile(prefer=(never, short), terms=(Term(1.0, KV_FREE),))))

    assert decision.relaxed == ("never",)
    assert decision.destinations == ("a:1",)
    assert [(r.endpoint.name, r.dropped_by) for r in decision.rows()] == [("a", ""), ("b", "short")]


def test_if_nothing_passes_the_next_profile_is_asked() -> None:
    strict = profile("strict", require=(keep("never", lambda e, _: False),), otherwise="loose")
    loose = profile("loose", terms=(Term(1.0, SHORT_QUEUE),))
    decision = decide(ask(nodes(4, 2), strict, profiles={"strict": strict, "loose": loose}))

    assert (decision.profile, decision.how, decision.chosen) == ("loose", How.SCORED, "b:1")
    assert decision.as_json()["profiles_tried"] == ["strict", "loose"]


def test_if_no_profile_lets_any_pass_the_least_queue_among_the_ready_is_taken() -> None:
    strict = profile(require=(keep("never", lambda e, _: False),), otherwise="default")
    endpoints = [*nodes(4, 2, 3), Endpoint("dead", "dead:1")]
    decision = decide(ask(endpoints, strict))

    assert decision.how is How.LAST_RESORT
    assert decision.destinations == ("b:1", "c:1", "a:1")
    assert {r.dropped_by for r in decision.rows()} == {"never", "ready"}


def test_without_a_ready_endpoint_there_is_none() -> None:
    dead = [replace(e, ready=False) for e in nodes(0, 0)]

    assert decide(ask(dead, profile(require=(ALIVE,)))).how is How.NONE
    assert decide(ask([], profile())).chosen is None


def test_an_unready_endpoint_is_asked_only_if_no_rule_minds_and_none_is_ready() -> None:
    a, b = nodes(0, 9)
    by = profile(terms=(Term(1.0, SHORT_QUEUE),))

    assert decide(ask([replace(a, ready=False), b], by)).destinations == ("b:1",)
    both_dead = decide(ask([replace(a, ready=False), replace(b, ready=False)], by))
    assert both_dead.chosen == "a:1"
    assert both_dead.relaxed == ("ready",)


def test_the_subset_is_never_left() -> None:
    subset = Subset(frozenset({"c:1"}), frozenset())
    never = profile(require=(keep("never", lambda e, _: False),))

    assert decide(ask(nodes(0, 0, 9), profile(), subset=subset)).destinations == ("c:1",)
    assert decide(ask(nodes(0, 0, 9), never, subset=subset)).destinations == ("c:1",)
    nothing = Subset(frozenset(), frozenset())
    assert decide(ask(nodes(0, 0), profile(), subset=nothing)).how is How.NONE
    assert least(ask(nodes(0, 0, 9), profile(), subset=subset), How.FALLBACK).destinations == (
        "c:1",
    )


def test_faults_exclude_or_score_0_and_are_kept() -> None:
    picky = keep("picky", lambda e, _: RuleFault("missing") if e.name == "a" else True)
    values: dict[str, float | RuleFault] = {
        "b": RuleFault("overflow"),
        "c": math.nan,
        "d": -0.5,
        "e": 7.0,
    }
    odd = score("odd", lambda e, r: values.get(e.name, 0.0))
    before = (Fault("crowded", "type"),)
    decision = decide(
        ask(nodes(0, 0, 0, 0, 0), profile(require=(picky,), terms=(Term(1.0, odd),)), faults=before)
    )

    assert decision.chosen == "e:1"
    assert decision.clamped == {"odd": 2}
    assert decision.faults == (
        *before,
        Fault("picky", "missing", "a:1"),
        Fault("odd", "overflow", "b:1"),
        Fault("odd", "nan", "c:1"),
    )
    assert [r.total for r in decision.rows()] == [1.0, 0.0, 0.0, 0.0, None]


def test_ties_go_to_the_lower_value_then_to_a_hash_that_spreads() -> None:
    a, b, c = nodes(0, 0, 0)
    endpoints = [replace(a, running=2), replace(b, running=1), replace(c, running=1)]
    by = profile(terms=(Term(1.0, KV_FREE),), ties=RUNNING)
    chosen = Counter(
        decide(ask(endpoints, by, request=Asked(id=f"r-{n}"))).chosen for n in range(200)
    )

    assert chosen.keys() == {"b:1", "c:1"}
    assert min(chosen.values()) > 60


def test_a_tie_rule_that_fails_comes_last() -> None:
    odd = score("odd", lambda e, r: {"a": RuleFault("range"), "b": math.nan, "c": 5.0}[e.name])

    assert decide(ask(nodes(0, 0, 0), profile(ties=odd))).chosen == "c:1"


def test_a_weighted_pick_draws_among_the_best_in_proportion() -> None:
    by = profile(terms=(Term(1.0, SHORT_QUEUE),), pick=Pick.WEIGHTED, pick_top=2)
    chosen = Counter(
        decide(ask(nodes(0, 2, 8), by, request=Asked(id=f"r-{n}"))).chosen for n in range(1000)
    )

    assert chosen.keys() == {"a:1", "b:1"}
    assert chosen["a:1"] == pytest.approx(750, abs=60)


def test_a_weighted_pick_without_any_score_is_even() -> None:
    by = profile(pick=Pick.WEIGHTED, pick_top=2)
    chosen = Counter(
        decide(ask(nodes(0, 0), by, request=Asked(id=f"r-{n}"))).chosen for n in range(400)
    )

    assert min(chosen["a:1"], chosen["b:1"]) > 140


def test_a_random_pick_is_even_and_ignores_scores() -> None:
    by = profile(terms=(Term(1.0, SHORT_QUEUE),), pick=Pick.RANDOM)
    chosen = Counter(
        decide(ask(nodes(0, 50), by, request=Asked(id=f"r-{n}"))).chosen for n in range(400)
    )

    assert min(chosen["a:1"], chosen["b:1"]) > 140


def test_another_seed_breaks_ties_otherwise() -> None:
    chosen = {decide(ask(nodes(0, 0, 0), profile(), seed=n)).chosen for n in range(40)}

    assert chosen == {"a:1", "b:1", "c:1"}


def test_without_the_policy_the_least_in_flight_of_the_ready_is_taken() -> None:
    a, b, c = nodes(0, 0, 0)
    endpoints = [replace(a, in_flight=3), replace(b, ready=False), replace(c, in_flight=1)]

    assert least(ask(endpoints, profile()), How.FALLBACK).destinations == ("c:1", "a:1")
    assert least(ask([b], profile()), How.FALLBACK).chosen == "b:1"
    assert least(ask([], profile()), How.FALLBACK).how is How.NONE
