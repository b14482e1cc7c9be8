"""Each name of the library says what the reference's plugin says, on the same values.

The expected values are those of the reference's formulas, worked out here in Python from
its sources and on paper, not by the language.
"""

import math
from dataclasses import dataclass

import pytest

from headrace.dsl.program import RuleFault
from headrace.extensions.hints import NO_HINTS, Hints
from headrace.extensions.values import Bonds
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
        endpoint(4, adapters=("spanish",), adapters_waiting=("english",), adapter_slots=0),
        endpoint(5, adapters=(), adapters_waiting=("english",), adapter_slots=1),
        endpoint(6, adapters=("english",), adapters_waiting=("english",), adapter_slots=0),
    ]

    found = ask("lora_affinity_scorer", endpoints, Asked(adapter="english"))

    assert found == [1.0, 0.8, 0.0, 0.6, 0.8, 1.0]


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


@pytest.mark.parametrize("name", ["decode_filter", "prefill_filter", "encode_filter"])
def test_a_role_that_the_pool_states_is_as_good_as_the_label_which_goes_before_it(
    name: str,
) -> None:
    stated = [endpoint(i, role=role) for i, role in enumerate(ROLES)]
    labels = [
        endpoint(i, labels={"llm-d.ai/role": role}, role="decode") for i, role in enumerate(ROLES)
    ]
    plain = [endpoint(i, labels={"llm-d.ai/role": role}) for i, role in enumerate(ROLES)]

    assert ask(name, labels, Asked()) == ask(name, plain, Asked())
    named = [i for i, role in enumerate(ROLES) if role]
    found, expected = ask(name, stated, Asked()), ask(name, plain, Asked())
    assert [found[i] for i in named] == [expected[i] for i in named]


def test_utilization_filter_keeps_all_until_it_is_told_a_bound() -> None:
    endpoints = [endpoint(i, queue=10**i, kv_cache=i / 10) for i in range(4)]

    assert ask("utilization_filter", endpoints, Asked()) == [True] * 4
    bounds = ["utilization_queue_max = 100", "utilization_kv_cache_max = 15%"]
    assert ask("utilization_filter", endpoints, Asked(), *bounds) == [True, True, False, False]


A, B, C, D = (f"10.0.0.{i}:8000" for i in range(1, 5))


def test_session_affinity() -> None:
    endpoints = [endpoint(i) for i in (1, 2)]
    bound, elsewhere = Asked(bonds=Bonds(B)), Asked(bonds=Bonds("10.9.9.9:1"))

    assert ask("session_affinity_scorer", endpoints, bound) == [0.0, 1.0]
    assert ask("session_affinity_scorer", endpoints, Asked()) == [0.0, 0.0]
    assert ask("session_affinity_filter", endpoints, bound) == [False, True]
    assert ask("session_affinity_filter", endpoints, elsewhere) == [True, True]


@pytest.mark.parametrize(
    ("cold", "prefix", "count", "expected"),
    [
        ({}, {}, 3, [1.0, 1.0, 1.0]),
        ({A: 7, B: 3, C: 9}, {}, 3, [0.5, 1.0, 0.0]),
        ({A: 7, C: 9}, {}, 3, [0.5, 1.0, 0.0]),  # B was never given one
        ({A: 7, B: 3, C: 9}, {C: 0.1}, 3, [0.5, 0.5, 0.5]),
        ({A: 7}, {}, 1, [1.0]),
        ({A: 1, B: 2, C: 3, D: 4}, {}, 4, [1.0, 2 / 3, 1 / 3, 0.0]),
    ],
)
def test_no_hit_lru_scorer(
    cold: dict[str, int], prefix: dict[str, float], count: int, expected: list[float]
) -> None:
    endpoints = [endpoint(i + 1) for i in range(count)]

    found = ask("no_hit_lru_scorer", endpoints, Asked(bonds=Bonds("", cold), prefix=prefix))

    assert found == pytest.approx(expected)


@dataclass(frozen=True, slots=True)
class Predicted:
    """An outlook that is written down."""

    ttft_s: float = 0.0
    itl_s: float = 0.0
    uncached: int = 0

    def predicted_ttft(self, e: object, work: object, now_s: float) -> float:
        return self.ttft_s

    def itl(self, e: object, work: object, now_s: float) -> float:
        return self.itl_s

    def uncached_tokens(self, e: object, work: object, now_s: float) -> int:
        return self.uncached


@pytest.mark.parametrize(
    ("in_flight", "uncached", "expected"), [(0, 0, 1.0), (500, 500, 0.75), (9000, 1, 0.0)]
)
def test_token_load_scorer(in_flight: int, uncached: int, expected: float) -> None:
    one = endpoint(1, tokens_in_flight=in_flight, outlook=Predicted(uncached=uncached))

    assert ask("token_load_scorer", [one], Asked(), "token_load_threshold = 4000") == [expected]


@pytest.mark.parametrize(
    ("cached", "tokens", "kept"),
    [
        ((0.9, 0.1, 0.8), (0, 0, 0), [True, False, True]),
        ((0.1, 0.1, 0.7), (0, 0, 0), [True, True, True]),
        ((0.9, 0.1, 0.0), (300_000, 0, 500), [True, True, True]),  # 18.8 s behind, too busy
        ((0.9, 0.1, 0.0), (280_000, 0, 500), [True, False, False]),  # 17.6 s behind
        ((0.9, 0.9, 0.0), (900_000, 0, 0), [True, True, False]),  # one of them is free
        ((0.9, 0.8, 0.9), (900_000, 0, 0), [True, True, True]),
    ],
)
def test_prefix_cache_affinity_filter(
    cached: tuple[float, ...], tokens: tuple[int, ...], kept: list[bool]
) -> None:
    endpoints = [endpoint(i + 1, tokens_in_flight=n) for i, n in enumerate(tokens)]
    request = Asked(prefix=dict(zip((A, B, C), cached, strict=True)))

    assert ask("prefix_cache_affinity_filter", endpoints, request) == kept


# Per endpoint: TTFT, TPOT, requests in flight. The SLO is 1 s and 50 ms.
LATENCIES: list[list[tuple[float, float, int]]] = [
    [(0.2, 0.01, 1), (0.8, 0.04, 1), (0.5, 0.03, 1)],
    [(0.2, 0.01, 1), (1.8, 0.04, 1), (0.5, 0.09, 1)],
    [(2.0, 0.01, 0), (1.8, 0.04, 1), (3.0, 0.09, 0)],
    [(2.0, 0.01, 1), (0.8, 0.06, 1), (0.9, 0.09, 1), (3.0, 0.09, 2)],
    [(2.0, 0.01, 1), (1.8, 0.02, 1), (3.0, 0.09, 1)],
    [(2.0, 0.06, 1), (1.8, 0.07, 1)],
    [(0.2, 0.03, 1), (0.5, 0.03, 1)],
    [(0.2, 0.03, 1)],
]


def by_reference(
    latencies: list[tuple[float, float, int]], slo_ttft: float = 1.0, slo_tpot: float = 0.05
) -> list[float]:
    """Return the scores as the reference works them out, bucket by bucket."""
    rooms = [(slo_ttft - ttft, slo_tpot - tpot, busy) for ttft, tpot, busy in latencies]
    buckets = [
        [i for i, (t, p, _) in enumerate(rooms) if t >= 0 and p >= 0],
        [i for i, (_, _, busy) in enumerate(rooms) if busy == 0],
        [i for i, (t, p, _) in enumerate(rooms) if t >= 0 > p],
        [i for i, (t, p, _) in enumerate(rooms) if p >= 0 > t],
        [i for i, (t, p, _) in enumerate(rooms) if t < 0 and p < 0],
    ]
    bucket = next(b for b in buckets if b)
    scores = [0.0] * len(rooms)
    sizes = {i: (abs(rooms[i][0]), abs(rooms[i][1])) for i in bucket}
    low = [min(s[k] for s in sizes.values()) for k in (0, 1)]
    wide = [max(s[k] for s in sizes.values()) - low[k] for k in (0, 1)]
    alpha, beta = 0.8, 0.2
    if wide[0] <= 1e-9 < wide[1]:
        alpha, beta = 0.0, 1.0
    elif wide[1] <= 1e-9 < wide[0]:
        alpha, beta = 1.0, 0.0
    for i, size in sizes.items():
        n = [(size[k] - low[k]) / wide[k] if wide[k] > 1e-9 else 0.5 for k in (0, 1)]
        combined = alpha * n[0] + beta * n[1]
        scores[i] = min(1.0, (int((1.0 - combined) * 100) + 1) / 100)
    return scores


@pytest.mark.parametrize("latencies", LATENCIES)
@pytest.mark.parametrize("asks", [True, False])
def test_latency_scorer_and_slo_headroom_tier_filter(
    latencies: list[tuple[float, float, int]], asks: bool
) -> None:
    endpoints = [
        endpoint(i + 1, outlook=Predicted(ttft, tpot), in_flight=busy)
        for i, (ttft, tpot, busy) in enumerate(latencies)
    ]
    hints = Hints(slo_ttft_s=1.0, slo_tpot_s=0.05) if asks else NO_HINTS
    bounds = (1.0, 0.05) if asks else (0.0, 0.0)

    found = ask("latency_scorer", endpoints, Asked(hints=hints))

    assert found == pytest.approx(by_reference(latencies, *bounds), abs=0.0101)
    met = [ttft <= bounds[0] and tpot <= bounds[1] for ttft, tpot, _ in latencies]
    kept = ask("slo_headroom_tier_filter", endpoints, Asked(hints=hints))
    assert kept == (met if any(met) else [True] * len(met))


def test_no_score_is_outside_0_and_1() -> None:
    for tokens in (0, 1, 10**9):
        for _, known, _ in CONTEXTS:
            one = endpoint(1, labels={"llm-d.ai/context-length-range": f"{known}-{known * 2}"})
            (found,) = ask("context_length_aware", [one], Asked(prompt_tokens=tokens))

            assert isinstance(found, float)
            assert math.isfinite(found)
            assert 0.0 <= found <= 1.0
