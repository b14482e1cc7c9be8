import pytest

from headrace.extensions.picker.alarms import Alarms
from headrace.extensions.picker.freshness import thresholds_s
from headrace.extensions.picker.snapshot import Endpoint


@pytest.mark.parametrize(
    ("text", "ages_s"),
    [
        ("endpoint.age < 2s", (2.0,)),
        ("endpoint.ready && endpoint . age <= 1min30s", (90.0,)),
        ("2s > endpoint.age", (2.0,)),
        ("endpoint.age < 2s ? 100% : endpoint.age >= 500ms ? 50% : 0%", (0.5, 2.0)),
        ("(endpoint.age < 2s) == endpoint.ready", (2.0,)),
        ("size(endpoint.adapters) > 0 || endpoint.age < 1s  # endpoint.age + 1s", (1.0,)),
        ('endpoint.zone == "endpoint.age < 1s" && endpoint.age < 3s', (3.0,)),
        ("endpoint.labels.contains(request.model) && (endpoint.age > 1s)", (1.0,)),
        ("[endpoint.age < 2s][0]", (2.0,)),
    ],
)
def test_ages_that_are_only_compared_with_durations_are_known(
    text: str, ages_s: tuple[float, ...]
) -> None:
    assert thresholds_s(text) == ages_s


@pytest.mark.parametrize(
    "text",
    [
        "endpoint.ready",
        "endpoint.age",
        "endpoint.age + 1s < 2s",
        "1s + endpoint.age < 2s",
        "endpoint.age < 2s + 1s",
        "endpoint.age < 2s * 3",
        "3s - 1s > endpoint.age",
        "2s > endpoint.age + 1s",
        "endpoint.age == 2s",
        "endpoint.age < request.deadline",
        "endpoint.age < -2s",
        "endpoint.age < 2",
        "endpoint.age < 400d",
        "-endpoint.age < 2s",
        "fresh && endpoint.age < 2s",
        "fresh.enough(endpoint.age < 2s)",
        "endpoint.adapters.exists(a, a == request.adapter) && endpoint.age < 2s",
        'endpoint.zone == """endpoint.age < 1s""" && endpoint.age < 3s',
        "endpoint.age < 2s < true",
        "string(endpoint.age) < '2s' && endpoint.age < 2s",
        "endpoint.age <",
        "< endpoint.age",
    ],
)
def test_of_any_other_use_of_an_age_nothing_is_claimed(text: str) -> None:
    assert thresholds_s(text) is None


def test_an_alarm_rings_at_each_age_and_about_it_all_the_time() -> None:
    endpoint = Endpoint("a", "a:1", scraped_at_s=10.0)
    alarms = Alarms((1.0, 2.0), [endpoint], 10.0)
    rung: list[float] = []
    for now_s in (10.5, 10.9, 11.0, 11.000001, 11.1, 11.9, 12.0, 12.000001, 13.0, 99.0):
        for place in alarms.due(now_s):
            rung.append(now_s)
            alarms.set(place, endpoint, now_s)

    assert rung == [11.0, 11.000001, 11.1, 12.0, 12.000001, 13.0]


def test_an_endpoint_that_is_scraped_again_and_again_fills_no_memory() -> None:
    alarms = Alarms((1.0, 5.0), [Endpoint("a", "a:1"), Endpoint("b", "b:1")], 0.0)
    for n in range(2000):
        now_s = n * 0.1 + (3.0 if n % 2 else 0.0)
        alarms.set(n % 2, Endpoint("a", "a:1", scraped_at_s=n * 0.1), now_s)

    assert len(alarms) <= 16 + 4 * 2
    assert not Alarms((), [Endpoint("a", "a:1")], 0.0).due(1e9)
