"""What a dashboard of the reference reads here, against what has happened."""

from dataclasses import replace

from msgspec import structs
from prometheus_client import generate_latest

from headrace.dsl.serving import InferencePoolRef
from headrace.extensions.headers import Headers
from headrace.extensions.picker.flow.waited import Waited
from headrace.extensions.picker.flow.waiter import Lane, Waiter
from headrace.extensions.picker.snapshot import PoolState, ServerFacts
from headrace.extensions.picker.store import Store
from headrace.extensions.stage import Outcome, StageRun
from headrace.host.telemetry.metrics import Metrics
from headrace.host.telemetry.summary import summarise
from headrace.host.telemetry.twins import requests
from headrace.host.telemetry.twins.pools import place_of
from tests.extensions.picker import build as picking
from tests.host.telemetry import outcomes


def told(metrics: Metrics) -> dict[str, float]:
    """Return the value of each series of others' names."""
    found: dict[str, float] = {}
    for line in generate_latest(metrics.registry).decode().splitlines():
        series, _, value = line.rpartition(" ")
        if not line.startswith(("#", "headrace_")):
            found[series] = float(value)
    return found


def _never(pool: PoolState, now_s: float) -> bool:
    return True


def after(*seen: Outcome) -> dict[str, float]:
    metrics = Metrics()
    for outcome in seen:
        metrics.observe(outcome, summarise(outcome))
    return told(metrics)


def test_an_answer_is_measured_under_the_new_names_and_the_old() -> None:
    found = after(outcomes.served())
    target = next(s for s in found if s.startswith("llm_d_epp_request_total"))
    asked = target.removeprefix("llm_d_epp_request_total{").removesuffix("}")
    model = ",".join(p for p in asked.split(",") if p.startswith(("model_name", "target_model")))

    for name, value in {
        "request_total": 1.0,
        "request_duration_seconds_sum": 2.5,
        "request_size_bytes_sum": len(outcomes.BODY),
        "response_size_bytes_sum": 4096.0,
        "request_input_tokens_sum": 12.0,
        "request_cached_tokens_sum": 8.0,
        "request_output_tokens_sum": 34.0,
        "request_ntpot_seconds_sum": 2.5 / 34,
        "request_streaming_tpot_seconds_sum": (12.4 - 10.3) / 33,
    }.items():
        assert abs(found[f"llm_d_epp_{name}{{{asked}}}"] - value) < 1e-9, name
    assert found[f"inference_objective_output_tokens_sum{{{model}}}"] == 34.0
    assert found[f"inference_objective_request_sizes_count{{{model}}}"] == 1.0
    streamed = ",".join(sorted([*asked.split(","), 'streaming="true"']))
    assert abs(found[f"llm_d_epp_request_ttft_seconds_sum{{{streamed}}}"] - 0.3) < 1e-9


def test_what_is_open_is_running_once_it_is_routed() -> None:
    metrics = Metrics()
    served = outcomes.served().request
    metrics.running(lambda: [served, served, structs.replace(served, route=None)])
    found = told(metrics)

    assert found['inference_objective_running_requests{model_name="chatbot"}'] == 2.0
    assert [n for s, n in found.items() if s.startswith("llm_d_epp_request_running")] == [2.0]


def test_a_pick_is_told_with_the_time_it_took() -> None:
    found = after(outcomes.served())

    for prefix in ("llm_d_epp", "inference_extension"):
        assert found[f"{prefix}_scheduler_e2e_duration_seconds_count"] == 1.0
        assert abs(found[f"{prefix}_scheduler_e2e_duration_seconds_sum"] - 0.00004) < 1e-9
    attempts = {s: n for s, n in found.items() if "scheduler_attempts_total" in s}
    assert len(attempts) == 2
    assert set(attempts.values()) == {1.0}
    assert all('status="success"' in series for series in attempts)
    hook = 'extension_point="on_request",plugin_name="picker",plugin_type="picker"'
    assert found[f"inference_extension_plugin_duration_seconds_count{{{hook}}}"] == 1.0


def test_our_errors_have_the_codes_of_the_reference_and_a_servers_its_own_word() -> None:
    broken = structs.replace(outcomes.served(), status=502)
    found = after(outcomes.shed(), outcomes.unknown(), broken)
    codes = {
        series.split('error_code="')[1].split('"')[0]: value
        for series, value in found.items()
        if series.startswith("llm_d_epp_request_error_total")
    }

    assert codes == {"ResourceExhausted": 1.0, "NotFound": 1.0, "ModelServerError": 1.0}


def test_what_its_servers_report_is_told_of_a_pool() -> None:
    store = Store.for_program(picking.program(pools={"gemma": ("10.0.0.1:8000", "10.0.0.2:8000")}))
    store.scraped("gemma", "10.0.0.1:8000", ServerFacts(2, 5, 0.25), 1.0)
    store.scraped("gemma", "10.0.0.2:8000", ServerFacts(4, 7, 0.75), 1.0)
    metrics = Metrics()
    metrics.follow(store)
    found = told(metrics)

    for series, value in {
        'inference_pool_average_kv_cache_utilization{name="gemma"}': 0.5,
        'inference_pool_average_queue_size{name="gemma"}': 3.0,
        'inference_pool_average_running_requests{name="gemma"}': 6.0,
        'inference_pool_ready_pods{name="gemma"}': 2.0,
        'llm_d_epp_ready_endpoints{name="gemma"}': 2.0,
        'llm_d_epp_std_dev_kv_cache_utilization{name="gemma"}': 0.25,
        'llm_d_epp_std_dev_queue_size{name="gemma"}': 1.0,
        'inference_pool_per_pod_queue_size{model_server_pod="10.0.0.2:8000",name="gemma"}': 4.0,
        'inference_extension_flow_control_pool_saturation{inference_pool="gemma"}': (
            (2 / 5 + 0.75 / 0.8) / 2
        ),
    }.items():
        assert abs(found[series] - value) < 1e-9, series


def test_a_pool_of_kubernetes_has_the_name_that_autoscalers_ask_for() -> None:
    pool = picking.program(pools={"gemma": ("10.0.0.1:8000",)}).pools["gemma"]
    declared = replace(pool, inference_pool=InferencePoolRef("vllm-gemma", "prod"))
    store = Store.for_program(replace(picking.program(), pools={"gemma": declared}))
    metrics = Metrics()
    metrics.follow(store)

    assert 'inference_pool_ready_pods{name="vllm-gemma"}' in told(metrics)
    assert place_of(store, "gemma", "10.0.0.1:8000") == ("10.0.0.1:8000", "prod", "8000")


def test_who_has_waited_and_who_waits_are_told() -> None:
    store = Store.for_program(picking.program(pools={"gemma": ("10.0.0.1:8000",)}))
    waiter = Waiter(Lane("l", 10, 1000), 2.0, 99.0, _never, key="acme", size_bytes=30)
    store.flows.of("gemma", 0.0).enter(waiter, 0.0)
    metrics = Metrics()
    metrics.follow(store)
    done = Waited("gemma", "rule", "line", 2.0, "acme", 1, "expired", 1.5)
    served = outcomes.served()
    waited = StageRun("picker", "on_request", 10.0, 11.5, "continue", records=(done,))
    outcome = structs.replace(served, runs=(*served.runs, waited))
    metrics.observe(outcome, summarise(outcome))
    found = told(metrics)

    queue = 'fairness_id="acme",inference_pool="gemma",model_name="",priority="2"'
    assert found[f'llm_d_epp_flow_control_queue_size{{{queue},target_model_name=""}}'] == 1.0
    old = f'inference_extension_flow_control_queue_bytes{{{queue},target_model_name=""}}'
    assert found[old] == 30.0
    ended = [s for s in found if s.startswith("llm_d_epp_flow_control_requests_total")]
    assert [found[series] for series in ended] == [1.0]
    assert 'inference_pool="gemma",outcome="EvictedTTL"' in ended[0]
    sums = [s for s in found if "request_queue_duration_seconds_sum" in s]
    assert [found[series] for series in sums] == [1.5, 1.5]


def test_the_words_of_clients_make_no_more_series_than_agreed() -> None:
    known = requests.Requests()
    for number in range(requests.NAMES_MAX + 50):
        served = outcomes.served()
        request = structs.replace(
            served.request,
            headers=Headers((("x-gateway-inference-fairness-id", f"f{number}\udcff"),)),
        )
        outcome = structs.replace(served, request=request)
        known.add(outcome, summarise(outcome))
    labels = dict(known.totals())

    assert len(labels) == requests.NAMES_MAX + 1
    assert sum(labels.values()) == requests.NAMES_MAX + 50
    assert {count for flow, count in labels.items() if flow[2] == "other"} == {50.0}


def test_the_body_router_is_told_as_the_reference_names_it() -> None:
    found = after(outcomes.served(), outcomes.unknown())

    assert found["bbr_success_total"] == 1.0
    assert found["bbr_model_not_in_body_total"] == 0.0
    assert any(series.startswith("bbr_info{") for series in found)
