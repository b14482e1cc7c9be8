"""Each name of the library says what the reference's plugin says, on the same values.

The expected values are those of the reference's formulas, worked out here in Python from
its sources and on paper, not by the language.
"""

import math

import pytest

from headrace.dsl.program import RuleFault
from tests.dsl.library.ask import ask, endpoint
from tests.extensions.picker.build import Asked

QUEUES = [(0, 5, 10), (3, 3, 3), (7,), (2, 0, 2, 9), (0, 0, 1)]


def falling(values: tuple[int, ...]) -> list[float]:
    """Return (max - v) / (max - min) of each; 1 if all are equal."""
    low, high = min(values), max(values)
    return [1.0 if high == low else (high - v) / (high - low) for v in values]


@pytest.mark.parametrize("queues", QUEUES)
def test_queue_scorer(queues: tuple[int, ...]) -> None:
    endpoints = [endpoint(i, queue=q) for i, q in enumerate(queues)]

    assert ask("queue_scorer", endpoints, Asked()) == falling(queues)


@pytest.mark.parametrize("running", QUEUES)
def test_running_requests_size_scorer(running: tuple[int, ...]) -> None:
    endpoints = [endpoint(i, running=r) for i, r in enumerate(running)]

    assert ask("running_requests_size_scorer", endpoints, Asked()) == falling(running)


def test_kv_cache_utilization_scorer() -> None:
    endpoints = [endpoint(i, kv_cache=kv) for i, kv in enumerate((0.0, 0.25, 1.0))]

    assert ask("kv_cache_utilization_scorer", endpoints, Asked()) == [1.0, 0.75, 0.0]


@pytest.mark.parametrize(
    ("queue", "threshold", "expected"),
    [(0, 128, 0.5), (64, 128, 0.25), (128, 128, 0.0), (999, 128, 0.0), (1, 4, 0.375)],
)
def test_load_aware_scorer(queue: int, threshold: int, expected: float) -> None:
    said = [] if threshold == 128 else [f"load_aware_threshold = {threshold}"]

    assert ask("load_aware_scorer", [endpoint(1, queue=queue)], Asked(), *said) == [expected]


@pytest.mark.parametrize(
    ("active", "idle", "busy", "expected"),
    [
        ((0, 1, 4), 0, "100%", [1.0, 0.75, 0.0]),
        ((0, 0, 0), 0, "100%", [1.0, 1.0, 1.0]),
        ((5, 5), 0, "100%", [0.0, 0.0]),
        ((1, 2, 8), 1, "50%", [1.0, 0.375, 0.0]),
    ],
)
def test_active_request_scorer(
    active: tuple[int, ...], idle: int, busy: str, expected: list[float]
) -> None:
    endpoints = [endpoint(i, in_flight=a) for i, a in enumerate(active)]
    said = [f"active_request_idle_threshold = {idle}", f"active_request_max_busy_score = {busy}"]

    assert ask("active_request_scorer", endpoints, Asked(), *said) == expected


def test_lora_affinity_scorer() -> None:
    endpoints = [
        endpoint(1, adapters=("english",), adapter_slots=0),
        endpoint(2, adapters=("spanish",), adapter_slots=3),
        endpoint(3, adapters=("spanish",), adapter_slots=0),
    ]

    found = ask("lora_affinity_scorer", endpoints, Asked(adapter="english"))

    assert found == [1.0, 0.8, 0.0]


@pytest.mark.parametrize("name", ["prefix_cache_scorer", "precise_prefix_cache_scorer"])
def test_prefix_cache_scorer(name: str) -> None:
    request = Asked(prefix={"10.0.0.1:8000": 0.75})

    assert ask(name, [endpoint(1), endpoint(2)], request) == [0.75, 0.0]


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("tokens", "share"), [(1000, 0.5), (20_000, 0.9), (0, 0.0)])
def test_prefix_cache_length_scorer(weight: float, tokens: int, share: float) -> None:
    request = Asked(prompt_tokens=tokens, prefix={"10.0.0.1:8000": share})
    said = [f"prefix_cache_length_weight = {weight}", "prefix_cache_length_scale = 4096"]

    (found,) = ask("prefix_cache_length_scorer", [endpoint(1)], request, *said)

    expected = weight * min(1.0, share * tokens / 4096) ** 2 + (1 - weight) * share
    assert found == pytest.approx(expected, abs=1e-12)


CONTEXTS = [
    ("0-8192", 4096, 0.3 + 0.7 * (0.7 / (1 + 8192 / 10_000) + 0.3 * 4096 / 8192)),
    ("0-8192", 8192, 0.3 + 0.7 * (0.7 / (1 + 8192 / 10_000))),
    ("100-100", 100, 1.0),
    ("0-8192", 10_192, 0.3 / (1 + 2000 / 1000)),
    ("8192-32768", 192, 0.3 / (1 + 8000 / 1000)),
    (" 10 - 20 ", 20, 0.3 + 0.7 * (0.7 / (1 + 10 / 10_000))),
    ("", 10, 0.0),
    ("20-10", 15, 0.0),
    ("1-2-3", 2, 0.0),
]


@pytest.mark.parametrize(("label", "tokens", "expected"), CONTEXTS)
def test_context_length_aware(label: str, tokens: int, expected: float) -> None:
    one = endpoint(1, labels={"llm-d.ai/context-length-range": label})

    (found,) = ask("context_length_aware", [one], Asked(prompt_tokens=tokens))

    assert found == pytest.approx(expected, abs=1e-12)


def test_context_length_aware_without_a_label_is_a_half_and_with_a_bad_one_a_fault() -> None:
    endpoints = [endpoint(1), endpoint(2, labels={"llm-d.ai/context-length-range": "a-b"})]

    plain, bad = ask("context_length_aware", endpoints, Asked())

    assert plain == 0.5
    assert isinstance(bad, RuleFault)  # counts as 0, which is what the reference scores


@pytest.mark.parametrize(
    ("label", "tokens", "kept"),
    [("0-10", 10, True), ("0-10", 11, False), ("5-10", 4, False), ("9-1", 5, False)],
)
def test_context_length_filter(label: str, tokens: int, kept: bool) -> None:
    one = endpoint(1, labels={"llm-d.ai/context-length-range": label})

    found = ask("context_length_filter", [one, endpoint(2)], Asked(prompt_tokens=tokens))

    assert found == [kept, True]


@pytest.mark.parametrize(("sent", "expected"), [("gold", [1.0, 0.0, 0.0]), ("", [0.0, 0.0, 0.0])])
def test_header_label_affinity_scorer(sent: str, expected: list[float]) -> None:
    labels: tuple[dict[str, str], ...] = ({"tier": "gold"}, {"tier": "tin"}, {})
    endpoints = [endpoint(i, labels=each) for i, each in enumerate(labels)]
    request = Asked(headers={"x-tier": sent})
    said = ['affinity_header = "x-tier"', 'affinity_label = "tier"']

    assert ask("header_label_affinity_scorer", endpoints, request, *said) == expected
    kept = ask("header_label_affinity_filter", endpoints, request, *said)
    assert kept == [bool(value) or not sent for value in expected]


ROLES = ("encode", "prefill", "decode", "encode-prefill", "prefill-decode", "both",
         "encode-prefill-decode", "other")  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kept", "unlabelled"),
    [
        ("decode_filter", {"decode", "prefill-decode", "both", "encode-prefill-decode"}, True),
        (
            "prefill_filter",
            {"prefill", "encode-prefill", "prefill-decode", "both", "encode-prefill-decode"},
            False,
        ),
        ("encode_filter", {"encode", "encode-prefill", "encode-prefill-decode"}, False),
    ],
)
def test_role_filters(name: str, kept: set[str], unlabelled: bool) -> None:
    endpoints = [endpoint(i, labels={"llm-d.ai/role": role}) for i, role in enumerate(ROLES)]

    found = ask(name, [*endpoints, endpoint(99)], Asked())

    assert found == [*(role in kept for role in ROLES), unlabelled]


def test_utilization_filter_keeps_all_until_it_is_told_a_bound() -> None:
    endpoints = [endpoint(i, queue=10**i, kv_cache=i / 10) for i in range(4)]

    assert ask("utilization_filter", endpoints, Asked()) == [True] * 4
    bounds = ["utilization_queue_max = 100", "utilization_kv_cache_max = 15%"]
    assert ask("utilization_filter", endpoints, Asked(), *bounds) == [True, True, False, False]


def test_no_score_is_outside_0_and_1() -> None:
    for tokens in (0, 1, 10**9):
        for _, known, _ in CONTEXTS:
            one = endpoint(1, labels={"llm-d.ai/context-length-range": f"{known}-{known * 2}"})
            (found,) = ask("context_length_aware", [one], Asked(prompt_tokens=tokens))

            assert isinstance(found, float)
            assert math.isfinite(found)
            assert 0.0 <= found <= 1.0
