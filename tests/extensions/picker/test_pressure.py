"""Shedding by chance, and what is said of when to come back."""

import pytest

from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.pressure import ShedRecord
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.stage import Continue
from tests.extensions.picker.queueing import FULL, House, policy, request


def test_a_shed_says_by_the_queue_when_to_come_back_unless_the_policy_does() -> None:
    text = (
        "overload when pool.queue > 5.0 {\n"
        "  shed when request.priority < -5 retry after 7s\n"
        "  shed when request.priority < 0\n"
        "  queue by request.priority for up to 60s\n}"
    )
    house = House(policy(text))
    house.scrape(0.0, FULL)
    assert house.comes(0.0, request(priority=-1)).rejected.retry_after_s == 1.0
    for n in range(100):
        assert house.comes(0.0, request(f"w-{n}")).waits
    for n in range(10):
        now_s = (n + 1) / 10
        house.scrape(now_s, ServerFacts(5, 9, 0.5))  # room for one
        assert house.pump(now_s) == 1
    rate = house.flow.rate_per_s
    told = house.comes(1.0, request(priority=-1)).rejected.retry_after_s

    assert told is not None
    assert rate == pytest.approx(10.0, rel=0.01)
    assert told == 9.0  # 90 wait
    assert house.comes(1.0, request(priority=-9)).rejected.retry_after_s == 7.0


def test_a_chance_falls_alike_for_the_same_request_and_on_as_many_as_it_says() -> None:
    text = "overload when pool.queue > 5.0 { shed when request.priority < 0 with chance 0.3 }"
    shed: list[set[str]] = []
    for _ in range(2):
        house = House(policy(text))
        house.scrape(0.0, FULL)
        exchanges = {
            f"r-{n}": house.comes(0.0, request(f"r-{n}", priority=-1)) for n in range(1_000)
        }
        shed.append({n for n, e in exchanges.items() if not isinstance(e.action, Continue)})

    assert shed[0] == shed[1]
    assert 250 <= len(shed[0]) <= 350


def test_the_probabilistic_admitter_can_be_written() -> None:
    """p = min(300 * saturation^5, 1). Source: Gateway API Inference Extension."""
    text = (
        "let s = pool.saturation\n"
        "overload when true { shed when request.priority < 0 "
        "with chance math.least(1.0, 300.0 * s * s * s * s * s) }"
    )
    for waiting_, share in ((0, 0.0), (1, 0.096), (2, 1.0)):
        house = House(policy(text))
        house.scrape(0.0, ServerFacts(waiting_, 0, 0.0))
        exchanges = [house.comes(0.0, request(f"r-{n}", priority=-1)) for n in range(500)]
        shed = [e for e in exchanges if not isinstance(e.action, Continue)]
        assert len(shed) / 500 == pytest.approx(share, abs=0.05)
        for e in shed:
            assert isinstance(e.rejected.records[0], ShedRecord)


@pytest.mark.parametrize(("sent", "kind"), [("no", "type"), ("nan", "nan")])
def test_a_chance_that_fails_turns_nobody_away_and_is_told_of(sent: str, kind: str) -> None:
    text = (
        "overload when pool.queue > 5.0 { shed when request.priority < 0 "
        'with chance double(request.header("x")) }'
    )
    house = House(policy(text))
    house.scrape(0.0, FULL)

    action = house.comes(0.0, request(priority=-1, x=sent)).action
    assert isinstance(action, Continue)
    (decision,) = [r for r in action.records if isinstance(r, Decision)]
    assert [f.kind for f in decision.faults] == [kind]
