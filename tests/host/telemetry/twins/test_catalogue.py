from pathlib import Path

import pytest

from headrace.host.telemetry.twins.catalogue import TWINS

LINES = (Path(__file__).parent / "facts.txt").read_text().splitlines()
FACTS = [line.split() for line in LINES if line and not line.startswith("#")]
BOUNDS = {name: tuple(map(float, bounds)) for word, name, *bounds in FACTS if word == "bounds"}
ROWS = [row for row in FACTS if row[0] != "bounds"]
TOLD = {metric.name: metric for twin in TWINS for metric in twin.metrics}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_dashboard_finds_the_name_with_its_kind_labels_and_buckets(row: list[str]) -> None:
    name, kind, labels, *bounds = row
    told = TOLD[name]

    assert told.kind.value == kind
    assert set(told.labels) == (set() if labels == "-" else set(labels.split(",")))
    for words in bounds:
        assert told.buckets == BOUNDS[words]


def test_each_name_is_told_once_and_measures_what_all_names_of_its_figure_do() -> None:
    names = [metric.name for twin in TWINS for metric in twin.metrics]

    assert len(set(names)) == len(names)
    for twin in TWINS:
        assert len({(metric.kind, metric.buckets) for metric in twin.metrics}) == 1
        for metric in twin.metrics:
            assert len(twin.places(metric)) == len(metric.labels)
