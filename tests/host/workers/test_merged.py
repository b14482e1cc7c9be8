from prometheus_client import CollectorRegistry, Counter
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families as parsed

from headrace.host.workers.merged import merged

ONE = """\
# HELP a_total Things.
# TYPE a_total counter
a_total{kind="x} y, z"} 1.0
# HELP b Levels.
# TYPE b gauge
b 2.0
"""
TWO = """\
# HELP a_total Things.
# TYPE a_total counter
a_total{kind="x} y, z"} 5.0
a_total{kind="w"} 6.0
# HELP h Times.
# TYPE h histogram
h_bucket{le="+Inf"} 3.0
h_count{} 3.0
h_sum 4.5
"""
OWN = "# TYPE up gauge\nup 1.0\n"


def test_each_sample_says_its_worker_and_each_family_is_told_once() -> None:
    page = merged({2: TWO, 1: ONE}, OWN)
    families = {family.name: family for family in parsed(page)}
    samples = {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in families.values()
        for s in family.samples
    }

    assert samples == {
        ("up", ()): 1.0,
        ("a_total", (("kind", "x} y, z"), ("worker", "1"))): 1.0,
        ("a_total", (("kind", "x} y, z"), ("worker", "2"))): 5.0,
        ("a_total", (("kind", "w"), ("worker", "2"))): 6.0,
        ("b", (("worker", "1"),)): 2.0,
        ("h_bucket", (("le", "+Inf"), ("worker", "2"))): 3.0,
        ("h_count", (("worker", "2"),)): 3.0,
        ("h_sum", (("worker", "2"),)): 4.5,
    }
    assert page.count("# TYPE a_total") == page.count("# HELP a_total") == 1
    assert families["a"].documentation == "Things."


def test_no_worker_leaves_what_is_our_own() -> None:
    assert merged({}, OWN) == OWN


def test_a_label_value_may_have_whatever_else_ends_a_line() -> None:
    counter = Counter("a", "Things.", ["kind"], registry=(registry := CollectorRegistry()))
    values = [f"x{end}y" for end in "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\n"]
    for value in values:
        counter.labels(value).inc()
    page = merged({1: generate_latest(registry).decode()})
    samples = [s for f in parsed(page) for s in f.samples if s.name == "a_total"]

    assert [s.labels for s in samples] == [{"worker": "1", "kind": value} for value in values]
