"""How long somebody waits who waits more than once, and by which rank."""

from headrace.extensions.reasons import Reason
from headrace.extensions.records import RuleError
from tests.extensions.picker.queueing import FULL, HEAD, A, B, House, policy, request

ROOM = HEAD.replace(f'"{B}" }}', f'"{B}"  wait up to 30s for endpoints, at most 2 }}')


def test_a_ttl_counts_from_when_the_request_came_however_often_it_has_to_wait() -> None:
    house = House(policy("overload when pool.queue > 5.0 { queue by 0 for up to 9s }", ROOM))
    exchange = house.comes(0.0, request(x_headrace_ttl="2s"))
    house.scrape(1.5, FULL)
    house.pump(1.5)
    assert exchange.waits
    house.pump(1.9)
    assert exchange.waits
    house.pump(2.0)

    assert exchange.rejected.reason is Reason.QUEUE_TIMEOUT


def test_a_pool_whose_endpoints_come_and_go_keeps_nobody_for_longer_than_it_says() -> None:
    house = House(policy("overload when pool.queue > 5.0 { queue by 0 for up to 9s }", ROOM))
    exchange = house.comes(0.0)
    for now_s in range(1, 32):
        assert exchange.waits or now_s > 30
        if now_s % 2:
            house.scrape(float(now_s), FULL)
        else:
            for address in (A, B):
                house.store.failed("gemma", address, "gone", float(now_s), refused=True)
        house.pump(float(now_s))

    assert exchange.rejected.reason is Reason.NO_ENDPOINTS


def test_a_rank_that_is_no_number_is_the_lowest_and_is_told_of() -> None:
    rule = 'queue by double(request.header("x-rank")) for up to 9s, at most 1'
    house = House(policy(f"overload when pool.queue > 5.0 {{ {rule} }}"))
    house.scrape(0.0, FULL)
    first = house.comes(0.0, request(x_rank="nan"))

    assert first.turn is not None
    assert first.turn.waiter.rank == float("-inf")
    rejected = house.comes(0.0, request(x_rank="nan")).rejected
    assert "nan" in [r.kind for r in rejected.records if isinstance(r, RuleError)]
