from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from headrace.host.sim.exposition import ADAPTER_SERIES_MAX, AdapterSeries, expose, note_adapters
from headrace.host.sim.replica import Replica
from tests.host.sim.world import ask, drain, replica

LABELS = {"engine": "0", "model_name": 'odd "name"\\'}


def samples(machine: Replica, adapters: AdapterSeries) -> list[Sample]:
    text = expose(machine.metrics(), LABELS["model_name"], adapters)
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def busy() -> Replica:
    machine = replica(max_num_seqs=2, max_loras=1)
    machine.submit(ask(1, 40, 2, family=7), 0.0)
    drain(machine)
    machine.submit(ask(2, 40, 2, family=7, adapter="a"), 1.0)
    machine.submit(ask(3, 40, 2, adapter="b"), 1.0)
    machine.start(1.0)
    return machine


def test_the_page_has_the_names_types_and_labels_of_vllm() -> None:
    text = expose(busy().metrics(), LABELS["model_name"], AdapterSeries())
    types = {family.name: family.type for family in text_string_to_metric_families(text)}

    assert types == {
        "vllm:num_requests_running": "gauge",
        "vllm:num_requests_waiting": "gauge",
        "vllm:num_requests_waiting_by_reason": "gauge",
        "vllm:kv_cache_usage_perc": "gauge",
        "vllm:prefix_cache_queries": "counter",
        "vllm:prefix_cache_hits": "counter",
        "vllm:num_preemptions": "counter",
        "vllm:prompt_tokens": "counter",
        "vllm:generation_tokens": "counter",
        "vllm:request_success": "counter",
        "vllm:time_to_first_token_seconds": "histogram",
        "vllm:inter_token_latency_seconds": "histogram",
        "vllm:e2e_request_latency_seconds": "histogram",
        "vllm:request_queue_time_seconds": "histogram",
        "vllm:request_prefill_time_seconds": "histogram",
        "vllm:request_decode_time_seconds": "histogram",
        "vllm:lora_requests_info": "gauge",
        "vllm:cache_config_info": "gauge",
    }


def test_the_page_says_what_the_replica_counted() -> None:
    seen = {(s.name, s.labels.get("reason")): s.value for s in samples(busy(), AdapterSeries())}

    assert seen["vllm:num_requests_running", None] == 1
    assert seen["vllm:num_requests_waiting", None] == 1
    assert seen["vllm:num_requests_waiting_by_reason", "deferred"] == 1
    assert seen["vllm:num_requests_waiting_by_reason", "capacity"] == 0
    assert seen["vllm:prefix_cache_queries_total", None] == 80
    assert seen["vllm:prefix_cache_hits_total", None] == 32
    assert seen["vllm:generation_tokens_total", None] == 2
    assert seen["vllm:kv_cache_usage_perc", None] == 3 / 64
    assert seen["vllm:time_to_first_token_seconds_count", None] == 1


def test_labels_are_escaped_and_sorted() -> None:
    text = expose(busy().metrics(), LABELS["model_name"], AdapterSeries())
    running = next(s for s in samples(busy(), AdapterSeries()) if s.name.endswith("_running"))

    assert running.labels == LABELS
    assert r'vllm:num_requests_running{engine="0",model_name="odd \"name\"\\"} 1.0' in text
    assert 'vllm:request_success_total{engine="0",finished_reason="length",model_name=' in text


def test_buckets_are_cumulative() -> None:
    buckets = [
        (s.labels["le"], s.value)
        for s in samples(busy(), AdapterSeries())
        if s.name == "vllm:time_to_first_token_seconds_bucket"
    ]

    assert buckets[4:7] == [("0.04", 0.0), ("0.06", 1.0), ("0.08", 1.0)]
    assert buckets[-1] == ("+Inf", 1.0)


def test_the_cache_config_is_in_labels() -> None:
    config = next(s for s in samples(busy(), AdapterSeries()) if s.name.endswith("config_info"))

    assert config.value == 1
    assert (config.labels["block_size"], config.labels["num_gpu_blocks"]) == ("16", "64")


def test_the_newest_combination_of_adapters_has_the_newest_stamp() -> None:
    series, machine = AdapterSeries(), busy()
    note_adapters(series, replica().metrics(), 1e9)
    note_adapters(series, machine.metrics(), 1e9 + 1)
    shown = [s for s in samples(machine, series) if s.name == "vllm:lora_requests_info"]
    newest = max(shown, key=lambda sample: sample.value)

    assert len(shown) == 2
    assert newest.labels == {
        "max_lora": "1",
        "running_lora_adapters": "a",
        "waiting_lora_adapters": "b",
    }


def test_old_combinations_of_adapters_are_forgotten() -> None:
    series = AdapterSeries()
    for number in range(ADAPTER_SERIES_MAX + 5):
        machine = replica()
        machine.submit(ask(number, 4, 1, adapter=f"a{number}"), 0.0)
        note_adapters(series, machine.metrics(), float(number))

    assert len(series) == ADAPTER_SERIES_MAX
    assert ("", "a0") not in series


def test_without_adapter_slots_there_is_no_lora_series() -> None:
    text = expose(replica(max_loras=0).metrics(), "m", AdapterSeries())

    assert "lora" not in text
