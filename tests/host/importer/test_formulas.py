"""What the importer calls exact computes what the reference computes, number by number."""

from collections.abc import Callable, Mapping

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from headrace.dsl.policy import check_policy, compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.host.importer.config import APIS, KIND, read_config
from headrace.host.importer.findings import Grade
from headrace.host.importer.translate import Abilities, translate
from headrace.host.importer.write import Served, write
from tests.dsl.facts import NOW_S, EndpointFacts, PoolFacts, RequestFacts, SpreadFacts
from tests.host.importer.test_importer import DOUBTS, TODAY, WHOLE

Facts = EndpointFacts
Reference = Callable[[EndpointFacts, float], float]  # of an endpoint and its share of the prompt
PROMPT_TOKENS = 6000


def program(kind: str, parameters: Mapping[str, object], abilities: Abilities = TODAY) -> Program:
    """Return the policy for one plugin, which has to be expressed exactly, without an error."""
    plugin = {"type": kind, "parameters": dict(parameters)}
    config = {"apiVersion": APIS[0], "kind": KIND, "plugins": [plugin]}
    done = translate(read_config(yaml.safe_dump(config)), abilities)
    assert [f.grade for f in done.findings if f.where == f"plugin `{kind}`"] == [Grade.EXACT]
    sources = [Source("p.sched", write(done.draft, done.findings, "-", Served()))]
    assert not [d for d in check_policy(sources) if d.code not in ("S108", *DOUBTS)]
    return compile_policy(sources)


def column(found: Program, endpoint: Facts, share: float) -> object:
    """Return what the only rule of the profile says of *endpoint*."""
    profile = found.profiles["default"]
    rules = [*profile.require, *profile.prefer, *(term.scorer for term in profile.terms)]
    request = RequestFacts(
        headers={"x-shelf": "b"}, prompt_tokens=PROMPT_TOKENS, prefix={endpoint.address: share}
    )
    (value,) = rules[0].column([endpoint], request, PoolFacts(), NOW_S)
    return value


def squared(weight: float, scale: float) -> Reference:
    """Return `prefix-cache-scorer` with a part for the length that matched."""

    def score(endpoint: Facts, share: float) -> float:
        length = min(1.0, share * PROMPT_TOKENS / scale)
        return weight * length**2 + (1 - weight) * share

    return score


SCORERS: list[tuple[str, Mapping[str, object], Reference]] = [
    ("kv-cache-utilization-scorer", {}, lambda e, _: 1 - e.kv_cache),
    ("load-aware-scorer", {}, lambda e, _: 0.5 * (1 - min(e.queue, 128) / 128)),
    ("load-aware-scorer", {"threshold": 7}, lambda e, _: 0.5 * (1 - min(e.queue, 7) / 7)),
    ("prefix-cache-scorer", {}, lambda _, share: share),
    ("prefix-cache-scorer", {"matchLengthWeight": 0.3}, squared(0.3, 8192)),
    (
        "prefix-cache-scorer",
        {"matchLengthWeight": 1, "matchLengthScaleTokens": 2000},
        squared(1, 2000),
    ),
    (
        "header-label-affinity-scorer",
        {"headerName": "X-Shelf", "labelKey": "shelf"},
        lambda e, _: float(e.labels.get("shelf") == "b"),
    ),
    (
        "endpoint-attribute-scorer",
        {
            "attributeKey": "GPUUtilization",
            "producer": "dcgm-extractor",
            "algorithm": {
                "type": "linear_higher_is_better",
                "normalization": {"fixedRange": {"min": 0.2, "max": 0.7}},
            },
        },
        lambda e, _: 0.0 if e.gpu is None else max(0.0, min(1.0, (e.gpu - 0.2) / 0.5)),
    ),
]
FILTERS: list[tuple[str, Mapping[str, object], Callable[[Facts], bool]]] = [
    (
        "utilization-filter",
        {
            "conditions": [
                {"metric": "active-requests", "maxValue": 5},
                {"metric": "waiting-queue", "maxValue": 3},
                {"metric": "kv-cache-utilization", "maxValue": 0.5},
            ]
        },
        lambda e: e.in_flight <= 5 and e.queue <= 3 and e.kv_cache <= 0.5,
    ),
    (
        "label-selector-filter",
        {
            "matchLabels": {"app": "a"},
            "matchExpressions": [
                {"key": "shelf", "operator": "NotIn", "values": ["b"]},
                {"key": "tier", "operator": "DoesNotExist"},
            ],
        },
        lambda e: (
            e.labels.get("app") == "a" and e.labels.get("shelf") != "b" and "tier" not in e.labels
        ),
    ),
    (
        "by-label",
        {"label": "shelf", "validValues": ["a", "b"], "allowsNoLabel": True},
        lambda e: e.labels.get("shelf", "a") in ("a", "b"),
    ),
    (
        "endpoint-attribute-filter",
        {
            "attribute": "GPUUtilization",
            "producer": "dcgm-extractor",
            "onMissing": "Fail",
            "algorithm": {"type": "threshold", "threshold": {"operator": "LessThan", "value": 0.5}},
        },
        lambda e: e.gpu is not None and e.gpu < 0.5,
    ),
    ("concurrency-detector", {"maxConcurrency": 4}, lambda e: e.in_flight < 4),
    (
        "prefill-filter",
        {},
        lambda e: e.labels.get("llm-d.ai/role") in ("prefill", "both", "prefill-decode"),
    ),
    (
        "decode-filter",
        {},
        lambda e: e.labels.get("llm-d.ai/role", "both") in ("decode", "both", "prefill-decode"),
    ),
]  # fmt: skip
RATIOS = st.floats(0, 1)
COUNTS = st.integers(0, 300)
LABELS = st.fixed_dictionaries(
    {},
    optional={
        "app": st.sampled_from("ab"),
        "shelf": st.sampled_from("abc"),
        "tier": st.just("x"),
        "llm-d.ai/role": st.sampled_from(["prefill", "decode", "both", "encode", ""]),
    },
)
ENDPOINTS = st.builds(
    EndpointFacts,
    queue=COUNTS,
    in_flight=COUNTS,
    kv_cache=RATIOS,
    gpu=st.none() | RATIOS,
    labels=LABELS,
)


@pytest.mark.parametrize(("kind", "parameters", "reference"), SCORERS)
def test_a_scorer_scores_as_the_reference_does(
    kind: str, parameters: Mapping[str, object], reference: Reference
) -> None:
    found = program(kind, parameters)

    @given(ENDPOINTS, RATIOS)
    def check(endpoint: Facts, share: float) -> None:
        assert column(found, endpoint, share) == pytest.approx(reference(endpoint, share))

    check()


@pytest.mark.parametrize(("kind", "parameters", "reference"), FILTERS)
def test_a_filter_keeps_whom_the_reference_keeps(
    kind: str, parameters: Mapping[str, object], reference: Callable[[Facts], bool]
) -> None:
    found = program(kind, parameters)

    @given(ENDPOINTS)
    def check(endpoint: Facts) -> None:
        assert column(found, endpoint, 0.0) is reference(endpoint)

    check()


@given(st.lists(COUNTS, min_size=1, max_size=6))
def test_the_queue_is_scored_between_the_least_and_the_most_of_the_pool(queues: list[int]) -> None:
    least, most = min(queues), max(queues)
    found = program("queue-scorer", {}, WHOLE).profiles["default"].terms[0].scorer
    pool = PoolFacts(max=SpreadFacts(most), min=SpreadFacts(least))

    scores = found.column([EndpointFacts(queue=q) for q in queues], RequestFacts(), pool, NOW_S)

    wanted = [(most - q) / (most - least) if most > least else 1.0 for q in queues]
    assert scores == pytest.approx(wanted)
