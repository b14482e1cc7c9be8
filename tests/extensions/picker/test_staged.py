"""The staged picker does what the plain evaluation does, whatever happened before."""

import dataclasses
import random
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from headrace.dsl.cel.values import Timestamp
from headrace.dsl.policy import compile_policy
from headrace.dsl.program import (
    Combine,
    Cost,
    CostTerm,
    EndpointFilter,
    Pick,
    Profile,
    Program,
    Term,
)
from headrace.dsl.source import Source
from headrace.extensions.picker.decide import Question, decide
from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.plans import Plans
from headrace.extensions.picker.snapshot import Reservation, ServerFacts
from headrace.extensions.picker.staging import Binding, binding_of
from headrace.extensions.picker.store import Store
from headrace.extensions.picker.subset import Subset
from headrace.extensions.values import NO_MODEL, ModelFacts
from tests.extensions.picker import plain
from tests.extensions.picker.build import Asked, span

ADDRESSES = [f"10.0.{i // 4}.{i % 4}:8000" for i in range(80)]  # more than are looked at singly
FILTERS: Mapping[str, tuple[str, Binding]] = {
    "ready": ("endpoint.ready", Binding.SCRAPED),
    "alive": ("endpoint.ready && endpoint.age < 2s", Binding.SCRAPED),
    "aged": ("endpoint.age >= 500ms ? endpoint.age < 1500ms : endpoint.queue < 3", Binding.SCRAPED),
    "room": ("endpoint.kv_cache < 95% && endpoint.queue < 3", Binding.SCRAPED),
    "never": ("endpoint.running > 99", Binding.SCRAPED),
    "breaks": ("10 / (endpoint.queue - 1) < 20", Binding.SCRAPED),
    "loaded": ("request.adapter in endpoint.adapters", Binding.ASKED),
    "urgent": ("request.priority > 0 || endpoint.in_flight < 2", Binding.ASKED),
    "warm": ("endpoint.prefix_match > 10%", Binding.MATCHED),
    "below_mean": ("double(endpoint.queue) <= pool.queue", Binding.LIVE),
    "long": ("request.prompt_tokens < 100 || endpoint.kv_cache < 50%", Binding.LIVE),
    "young": ("endpoint.age - 1s < 500ms", Binding.LIVE),
    "swapless": ('endpoint.metric("swaps").orValue(0.0) < 3.0', Binding.SCRAPED),
    "known": ('endpoint.metric("swaps").hasValue()', Binding.SCRAPED),
    "kind": ('model.name == "chatbot" || endpoint.queue < 2', Binding.ASKED),
    "paced": ("has(model.objective) && model.objective < 1s || endpoint.queue < 2", Binding.ASKED),
    "by_day": ("now.getHours() < 12 || endpoint.running < 2", Binding.LIVE),
    "shortest": ("candidates.rank(endpoint.queue) < 2", Binding.LIVE),
    "sticky": (
        "endpoint.prefix_match >= 50% || !candidates.any(endpoint.prefix_match >= 50%)",
        Binding.LIVE,
    ),
    "below_most": ("endpoint.queue < pool.max.queue || endpoint.queue == 0", Binding.LIVE),
}
SCORERS: Mapping[str, tuple[str, Binding]] = {
    "kv_free": ("1.0 - endpoint.kv_cache", Binding.SCRAPED),
    "short_queue": ("1.0 / (1.0 + double(endpoint.queue))", Binding.SCRAPED),
    "few_open": ("1.0 / (1.0 + double(endpoint.in_flight))", Binding.SCRAPED),
    "fresh": ("endpoint.age < 1s ? 100% : endpoint.age < 2s ? 50% : 0%", Binding.SCRAPED),
    "wild": ("2.0 - double(endpoint.queue)", Binding.SCRAPED),
    "nan": ("double(endpoint.queue) / double(endpoint.running)", Binding.SCRAPED),
    "faulty": ("double(6 / endpoint.running)", Binding.SCRAPED),
    "lora": (
        "request.adapter in endpoint.adapters ? 100% : endpoint.adapter_slots > 0 ? 80% : 0%",
        Binding.ASKED,
    ),
    "prefix": ("endpoint.prefix_match", Binding.MATCHED),
    "cold": ("1.0 - endpoint.prefix_match", Binding.MATCHED),
    "inverse": ("double(1 / endpoint.queue) * endpoint.prefix_match", Binding.MATCHED),
    "swaps": ('1.0 / (1.0 + endpoint.metric("swaps").orValue(1.0))', Binding.SCRAPED),
    "stated": ("model.priority > 0 ? 1.0 - endpoint.kv_cache : 0.5", Binding.ASKED),
    "at_night": ("now.getHours() < 12 ? endpoint.kv_cache : 0.5", Binding.LIVE),
    "spread": ("candidates.low(endpoint.queue)", Binding.LIVE),
    "spread_roomy": ("candidates.high(endpoint.running, endpoint.kv_cache < 50%)", Binding.LIVE),
    "among": (
        "double(candidates.max(10 / endpoint.running) - endpoint.queue) / double(candidates.size)",
        Binding.LIVE,
    ),
    "crowded": (
        "pool.p90.kv_cache > pool.min.kv_cache && endpoint.in_flight < pool.max.in_flight"
        " ? 100% : 0%",
        Binding.LIVE,
    ),
    "relative": ("pool.kv_cache > endpoint.kv_cache ? 100% : 0%", Binding.LIVE),
    "sized": ("request.prompt_tokens > 50 ? 1.0 - endpoint.kv_cache : 0.5", Binding.LIVE),
}


def compiled() -> Program:
    """Return a policy with every rule of the tables, each used somewhere."""
    rules = [f"filter {n} = {text}" for n, (text, _) in FILTERS.items()]
    rules += [f"scorer {n} = {text}" for n, (text, _) in SCORERS.items()]
    weights = " + ".join(f"1 * {n}" for n in SCORERS)
    endpoints = ", ".join(f'"{a}"' for a in ADDRESSES)
    text = "\n".join([
        "sched 1",
        f"pool gemma {{ endpoints {endpoints} }}",
        "model chatbot { route gemma }",
        *rules,
        "profile default {",
        f"  require {', '.join(FILTERS)}",
        f"  score {weights}",
        "  pick max ties by endpoint.running",
        "}",
        "profile shy { score 1 * kv_free  pick max  ties by double(endpoint.queue) / pool.queue }",
    ])  # fmt: skip
    return compile_policy([Source("staged.sched", text)])


PROGRAM = compiled()
DEFAULT = PROGRAM.profiles["default"]
KEEP = {f.rule.name: f for f in DEFAULT.require}
SCORE = {t.scorer.rule.name: t.scorer for t in DEFAULT.terms}
TIES = [None, DEFAULT.ties, PROGRAM.profiles["shy"].ties]
COSTS = [Cost(s.rule, s.column) for n, s in SCORE.items() if n != "relative"]


def filters(most: int) -> st.SearchStrategy[tuple[EndpointFilter, ...]]:
    return st.lists(st.sampled_from(list(KEEP.values())), max_size=most).map(tuple)


@st.composite
def profiles(draw: st.DrawFn, name: str, otherwise: str) -> Profile:
    """Draw a profile of the rules above, by scores or by costs."""
    pick = draw(st.sampled_from(Pick))
    by_cost = pick is Pick.LEAST or (pick is Pick.BEST and draw(st.booleans()))
    combine = Combine.SUM if by_cost else draw(st.sampled_from(Combine))
    weight = st.sampled_from([0.1, 0.7, 1.0, 3.0])
    terms = st.lists(st.builds(Term, weight, st.sampled_from(list(SCORE.values()))), max_size=5)
    costs = st.lists(st.builds(CostTerm, weight, st.sampled_from(COSTS)), max_size=3)
    return Profile(
        name,
        span("profile"),
        draw(filters(2)),
        draw(filters(2)),
        () if by_cost else tuple(draw(terms)),
        pick,
        draw(st.integers(1, 4)),
        draw(st.sampled_from(TIES)),
        otherwise,
        tuple(draw(costs)) if by_cost else (),
        combine=combine,
    )


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    known = draw(st.sampled_from([ADDRESSES[:8], ADDRESSES]))
    hits = draw(st.lists(st.sampled_from(known), max_size=6, unique=True))
    return Asked(
        id=f"r-{draw(st.integers(0, 50))}",
        adapter=draw(st.sampled_from(["", "english", "spanish"])),
        priority=draw(st.sampled_from([-1, 0, 1])),
        prompt_tokens=draw(st.sampled_from([10, 60, 500])),
        now=Timestamp(draw(st.sampled_from([0, 13])) * 3600 * 10**9),
        asked=draw(st.sampled_from(MODELS)),
        prefix={a: draw(st.sampled_from([0.05, 0.5, 1.0])) for a in hits}
        or dict.fromkeys(draw(st.sampled_from([[], [], ADDRESSES])), 0.25),
    )


MODELS = [NO_MODEL, ModelFacts("chatbot", 10, 0.4), ModelFacts("batch", 0, 2.0)]
SUBSETS = st.sampled_from([
    None, None, None,
    Subset(frozenset(ADDRESSES[1:3]), frozenset()),
    Subset(frozenset({ADDRESSES[0], "9.9.9.9:1"}), frozenset({"10.0.2", "1.2.3.4"})),
    Subset(frozenset(ADDRESSES[::2]), frozenset()),
    Subset(frozenset(), frozenset()),
])  # fmt: skip


class World:
    """A store to which things happen, and the tables that outlive every decision."""

    def __init__(self, chance: random.Random, size: int) -> None:
        self.chance = chance
        self.addresses = ADDRESSES[:size]
        self.program = sized(size)
        self.store = Store.for_program(self.program)
        self.held: list[Reservation] = []
        self.now_s = 100.0
        for address in self.addresses:
            self.scrape(address)

    def scrape(self, address: str) -> None:
        c = self.chance
        adapters = tuple(c.sample(["english", "spanish"], c.randrange(3)))
        facts = ServerFacts(
            c.randrange(4), c.randrange(3), c.choice([0.0, 0.25, 0.97]), None, adapters, 2,
            metrics=c.choice([{}, {"swaps": 1.0}, {"swaps": 5.0}]),
        )  # fmt: skip
        self.store.scraped("gemma", address, facts, self.now_s)

    def happen(self) -> None:
        """Let one thing happen."""
        c = self.chance
        address = c.choice(self.addresses)
        match c.randrange(8):
            case 0 | 1:
                self.held.append(self.store.reserve("gemma", address, self.now_s))
            case 2 if self.held:
                self.store.release(self.held.pop(c.randrange(len(self.held))), self.now_s)
            case 3 | 4:
                self.scrape(address)
            case 5:
                self.store.failed("gemma", address, "gone", self.now_s, refused=c.random() < 0.5)
            case 6:
                self.now_s += c.choice([0.0, 1e-9, 0.25, 0.499999999, 0.5, 1.0])
            case 7 if c.random() < 0.1:
                self.now_s -= 1.0
            case _:
                pass


def told(decision: Decision) -> str:
    """Return all that *decision* records, with values that differ from themselves spelt out."""
    steps = [
        (a.profile, s.kind, s.name, [e.address for e in s.given], list(s.column), s.relaxed)
        for a in decision.attempts
        for s in a.steps
    ]
    columns = [(c.rule.name, list(c.raw), list(c.scores)) for c in decision.columns]
    scored = [e.address for e in decision.scored]
    return repr((steps, columns, scored, list(decision.totals), decision.as_json()))


def sized(size: int) -> Program:
    """Return the policy with the first *size* endpoints."""
    pool = dataclasses.replace(PROGRAM.pools["gemma"], endpoints=tuple(ADDRESSES[:size]))
    return dataclasses.replace(PROGRAM, pools={"gemma": pool})


@pytest.mark.parametrize("name", [*FILTERS, *SCORERS])
def test_a_rule_is_evaluated_when_what_it_reads_is_known(name: str) -> None:
    rule = KEEP[name].rule if name in KEEP else SCORE[name].rule

    assert binding_of(rule) is {**FILTERS, **SCORERS}[name][1]


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from([1, 2, 3, 5, 8, 12, 40, 80]),
    profiles("one", "two"),
    profiles("two", "one"),
    st.lists(st.tuples(requests(), SUBSETS, st.integers(0, 4)), min_size=1, max_size=12),
)
def test_the_staged_picker_equals_the_plain_evaluation(
    seed: int,
    size: int,
    one: Profile,
    two: Profile,
    asked: list[tuple[Asked, Subset | None, int]],
) -> None:
    world = World(random.Random(seed), size)
    plans = Plans()
    made: list[tuple[Decision, Decision]] = []
    for request, subset, happenings in asked:
        for _ in range(happenings):
            world.happen()
        snapshot = world.store.snapshot
        question = Question(
            snapshot.pools["gemma"],
            request,
            one,
            {"one": one, "two": two},
            world.now_s,
            seed % 3,
            subset,
            snapshot.epoch,
        )
        staged, expected = decide(question, plans), plain.decide(question)

        assert replace(staged, evidence=None, faulty=True) == replace(expected, evidence=None)
        made.append((staged, expected))
        if staged.chosen is not None:
            world.held.append(world.store.reserve("gemma", staged.chosen, world.now_s))
    for staged, expected in made:  # what was seen is told, not what has become of it
        assert staged.faults == expected.faults
        assert told(staged) == told(expected)
