import dataclasses
from pathlib import Path

import pytest
from msgspec.structs import replace

from headrace.dsl.program import Combine, Cost, CostTerm, Pick, Profile, RuleFault, Term
from headrace.extensions.picker.decide import Question, decide, least
from headrace.extensions.picker.decision import Decision, Fault, How
from headrace.extensions.picker.explain import explain
from headrace.extensions.picker.snapshot import Endpoint, pool_state
from headrace.extensions.picker.subset import Subset
from tests import golden
from tests.extensions.picker.build import (
    KV_FREE,
    PREFIX,
    SHORT_QUEUE,
    Asked,
    keep,
    profile,
    rule,
    score,
)

HERE = Path(__file__).parent / "explained"
POOL = pool_state(
    "gemma",
    [
        Endpoint("gemma-a", "10.0.0.1:8000", True, 9.8, 1, 4, 2, 0.05),
        Endpoint("gemma-b", "10.0.0.2:8000", True, 9.9, 2, 9, 3, 0.29),
        Endpoint("gemma-c", "10.0.0.3:8000", True, 9.9, 3, 9, 1, 0.97),
        Endpoint("gemma-d", "10.0.0.4:8000", error="connection refused"),
    ],
)
HAS_ROOM = dataclasses.replace(
    keep("has_room", lambda e, _: e.kv_cache < 0.95),
    rule=rule("has_room", "endpoint.kv_cache < 95%", "endpoint.kv_cache", line=12),
)
DEFAULT = profile(
    require=(HAS_ROOM,), terms=(Term(3, PREFIX), Term(2, KV_FREE), Term(2, SHORT_QUEUE))
)
ASKED = Asked("7f3a", "chatbot", priority=10, prefix={"10.0.0.2:8000": 0.82})
QUESTION = Question(POOL, ASKED, DEFAULT, {}, 10.0)
NEVER = keep("never", lambda e, _: False)
ODD = score("odd", lambda e, r: RuleFault("overflow") if e.name == "gemma-a" else 1.5)
WAITING = score("wait", lambda e, r: 0.25 * e.queue, "endpoint.queue")
WAIT = Cost(WAITING.rule, WAITING.column)
DISTURBING = score(
    "disturbance",
    lambda e, r: RuleFault("missing") if e.kv_cache > 0.9 else 0.5 * e.kv_cache,
    "endpoint.kv_cache",
)
DISTURBANCE = Cost(DISTURBING.rule, DISTURBING.column)


def asked(by: Profile) -> Decision:
    return decide(replace(QUESTION, profile=by, profiles={DEFAULT.name: DEFAULT}))


CASES = {
    "scored": decide(QUESTION),
    "else-profile": asked(profile("strict", require=(NEVER,), otherwise="default")),
    "last-resort": asked(profile("strict", require=(NEVER,))),
    "faults": replace(
        asked(profile(prefer=(NEVER,), terms=(Term(1, ODD),))),
        faults_before=(Fault("crowded", "division-by-zero"),),
    ),
    "tied": asked(profile(pick=Pick.MAX)),
    "random": asked(profile(pick=Pick.RANDOM, terms=(Term(1, KV_FREE),))),
    "least": asked(
        profile(pick=Pick.LEAST, costs=(CostTerm(1.0, WAIT), CostTerm(0.5, DISTURBANCE)))
    ),
    "product": asked(profile(terms=(Term(1, PREFIX), Term(2, KV_FREE)), combine=Combine.PRODUCT)),
    "product-flat": asked(
        profile(terms=(Term(1, KV_FREE), Term(0.5, SHORT_QUEUE)), combine=Combine.PRODUCT)
    ),
    "tiers": asked(
        profile(terms=(Term(0.25, KV_FREE), Term(0, SHORT_QUEUE)), combine=Combine.TIERS)
    ),
    "random-top": asked(profile(pick=Pick.RANDOM_TOP, pick_top=2, terms=(Term(1, SHORT_QUEUE),))),
    "best-of": asked(profile(pick=Pick.BEST, pick_top=2, costs=(CostTerm(1.0, WAIT),))),
    "fallback": least(QUESTION, How.FALLBACK),
    "nowhere": decide(replace(QUESTION, subset=Subset(frozenset(), frozenset()))),
}


@pytest.mark.parametrize("name", CASES)
def test_a_decision_in_words_and_numbers(name: str) -> None:
    golden.check(HERE / f"{name}.txt", explain(CASES[name]))
