"""Waiting at a pool's door: who waits, who goes first, and what is told to whom."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from headrace.extensions.call import Api, Call, Text
from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.flow.control import DEPARTED_MAX
from headrace.extensions.picker.flow.waited import Waited
from headrace.extensions.picker.gate import Gate
from headrace.extensions.picker.record import Capture
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Continue, Request
from tests.extensions.picker.queueing import FULL, HEAD, IDLE, A, House, policy, request

QUEUE = policy("overload when pool.queue > 5.0 { queue by request.priority for up to 2s }")
ROOM = HEAD.replace("8002", "8002").replace(
    '"127.0.0.1:8002" }', '"127.0.0.1:8002"  wait up to 30s for endpoints, at most 2 }'
)


def long(name: str) -> Request:
    """Return a request whose prompt has many blocks."""
    words = "tell me about head races and turbines " * 100
    return structs.replace(
        request(name), call=Call(Api.CHAT, "chat", (Text("user", words),), 900, None, False)
    )


def waiting(house: House, count: int) -> None:
    for n in range(count):
        assert house.comes(0.0, request(f"w-{n}")).waits


def test_a_policy_without_queues_has_no_gate() -> None:
    assert (
        Gate.of(policy("overload when pool.queue > 5.0 { shed when request.priority < 0 }")) is None
    )


def test_nobody_waits_while_the_pool_is_not_overloaded() -> None:
    house = House(QUEUE)
    house.scrape(0.0, IDLE)
    exchange = house.comes(0.0)

    assert not exchange.waits
    assert house.store.flows.find("gemma") is None


def test_who_waits_goes_when_the_pool_has_room_and_is_picked_by_what_is_known_then() -> None:
    house = House(QUEUE)
    house.scrape(0.0, FULL)
    exchange = house.comes(0.0)
    assert exchange.waits
    assert house.pump(0.5) == 0
    house.scrape(1.0, IDLE, FULL)

    assert house.pump(1.25) == 1
    assert exchange.picked == A
    assert isinstance(exchange.action, Continue)
    (waited,) = [r for r in exchange.action.records if isinstance(r, Waited)]
    assert (waited.how, waited.waited_s, waited.ahead) == ("served", 1.25, 0)
    assert waited.line == "t.sched:4"


def test_a_burst_that_waited_is_not_let_go_at_once() -> None:
    house = House(QUEUE)
    house.scrape(0.0, FULL)
    waiting(house, 100)
    house.scrape(1.0, IDLE)

    assert house.pump(1.0) == 11  # then 5.5 at each of two, as far as we know
    assert house.pump(1.1) == 0
    house.scrape(1.2, IDLE)
    assert house.pump(1.2) == 11


def test_a_burst_is_not_let_go_at_once_by_a_rule_on_memory_either() -> None:
    house = House(policy("overload when pool.kv_cache > 80% { queue by 0 for up to 9s }"))
    house.scrape(0.0, ServerFacts(waiting=0, running=20, kv_cache=0.9))
    waiting(house, 100)
    house.scrape(1.0, ServerFacts(waiting=0, running=20, kv_cache=0.75))

    assert 1 <= house.pump(1.0) <= 5


def test_nobody_of_equal_rank_overtakes_those_who_wait() -> None:
    house = House(QUEUE)
    house.scrape(0.0, FULL)
    waiting(house, 30)
    house.scrape(1.0, IDLE)
    late = house.comes(1.0)  # the pool, as scraped, has room for it

    assert late.waits
    house.pump(1.0)
    assert late.waits


def test_the_more_urgent_may_go_before_those_who_wait() -> None:
    condition = "pool.queue > 5.0 && request.priority < 9"
    house = House(policy(f"overload when {condition} {{ queue by request.priority for up to 2s }}"))
    house.scrape(0.0, FULL)
    waiting(house, 3)

    assert not house.comes(0.0, request("urgent", priority=9)).waits


def test_who_finds_the_queue_full_is_told_when_to_come_back() -> None:
    house = House(policy("overload when pool.queue > 5.0 { queue by 0 for up to 4s, at most 2 }"))
    house.scrape(0.0, FULL)
    waiting(house, 2)
    rejected = house.comes(0.0).rejected

    assert (rejected.reason, rejected.reason.status) == (Reason.QUEUE_FULL, 429)
    assert rejected.retry_after_s == 4.0
    assert [r.how for r in rejected.records if isinstance(r, Waited)] == ["full"]


def test_the_queue_is_bounded_by_bytes() -> None:
    house = House(policy("overload when pool.queue > 5.0 { queue by 0 for up to 4s, at most 5B }"))
    house.scrape(0.0, FULL)
    waiting(house, 2)

    assert house.comes(0.0).rejected.reason is Reason.QUEUE_FULL


def test_who_waits_too_long_is_turned_away() -> None:
    house = House(QUEUE)
    house.scrape(0.0, FULL)
    exchange = house.comes(0.0)
    assert house.pump(1.9) == 0
    house.pump(2.0)

    assert exchange.rejected.reason is Reason.QUEUE_TIMEOUT
    assert exchange.rejected.retry_after_s == 2.0


@pytest.mark.parametrize(("ttl", "gone_s"), [("500ms", 0.5), ("1m", 2.0), ("nonsense", 2.0)])
def test_a_request_waits_no_longer_than_its_own_ttl(ttl: str, gone_s: float) -> None:
    house = House(QUEUE)
    house.scrape(0.0, FULL)
    exchange = house.comes(0.0, request(x_headrace_ttl=ttl))
    house.pump(gone_s - 0.01)
    assert exchange.waits
    house.pump(gone_s)

    assert not exchange.waits


def test_a_client_that_leaves_makes_room() -> None:
    house = House(policy("overload when pool.queue > 5.0 { queue by 0 for up to 4s, at most 1 }"))
    house.scrape(0.0, FULL)
    first = house.comes(0.0)
    first.leave(1.0)

    assert len(house.flow) == 0
    assert house.comes(1.0).waits


def test_a_client_that_leaves_between_its_turn_and_its_pick_leaves_nothing_behind() -> None:
    house = House(QUEUE)
    house.scrape(0.0, FULL)
    exchange = house.comes(0.0)
    house.scrape(1.0, IDLE)
    house.flow.pump(house.store.snapshot.pools["gemma"], 1.0)
    assert house.flow.departed == 1
    exchange.leave(1.0)

    assert house.flow.departed == 0


def test_keys_take_turns_by_header_by_class_or_by_fairness_id() -> None:
    head = (
        'class batch when request.header("x-job") == "b" { fairness by request.header("x-team") }\n'
    )
    rule = "overload when pool.queue > 5.0 { queue by 0 %s for up to 9s }"
    for fair, expected in (
        ('fair by request.header("x-tenant")', "t"),
        ("", "m"),
    ):
        house = House(policy(head + rule % fair))
        house.scrape(0.0, FULL)
        asked = request(kind="batch", x_job="b", x_tenant="t", x_team="m")
        exchange = house.comes(0.0, asked)
        assert exchange.turn is not None
        assert exchange.turn.waiter.key == expected
    plain = house.comes(0.0, request(x_gateway_inference_fairness_id="who"))
    assert plain.turn is not None
    assert plain.turn.waiter.key == "who"


def test_turns_count_in_tokens_that_no_cache_has() -> None:
    rule = 'queue by 0 fair in tokens by request.header("x") for up to 9s'
    house = House(policy(f"overload when pool.queue > 5.0 {{ {rule} }}"))
    house.scrape(0.0, FULL)
    exchange = house.comes(0.0)

    assert exchange.turn is not None
    assert exchange.turn.waiter.cost == 100.0


def test_the_soonest_deadline_is_by_ttl_or_by_slo() -> None:
    rule = "queue by 0 soonest deadline first for up to 9s"
    house = House(policy(f"overload when pool.queue > 5.0 {{ {rule} }}"))
    house.scrape(0.0, FULL)
    orders: list[float] = []
    for asked in (request(), request(x_headrace_ttl="3s"), request(x_slo_ttft_ms="400")):
        exchange = house.comes(1.0, asked)
        assert exchange.turn is not None
        orders.append(exchange.turn.waiter.order)

    assert orders == [10.0, 4.0, 1.4]


def test_a_rank_that_fails_is_the_lowest_and_is_told_of() -> None:
    rule = 'queue by int(request.header("x-rank")) for up to 9s, at most 1'
    house = House(policy(f"overload when pool.queue > 5.0 {{ {rule} }}"))
    house.scrape(0.0, FULL)
    exchange = house.comes(0.0, request(x_rank="no number"))
    assert exchange.turn is not None
    assert exchange.turn.waiter.rank == float("-inf")
    exchange.leave(0.0)
    waiting(house, 1)

    rejected = house.comes(0.0, request(x_rank="none")).rejected
    assert any(getattr(r, "rule", "").startswith("queue") for r in rejected.records)


def test_an_overload_that_sheds_goes_before_a_queue_of_another() -> None:
    house = House(
        policy(
            "overload when pool.queue > 5.0 { queue by request.priority for up to 2s }\n"
            "overload when pool.queue > 8.0 { shed when request.priority < 0 }"
        )
    )
    house.scrape(0.0, FULL)

    assert house.comes(0.0, request(priority=-1)).rejected.reason is Reason.SHED
    assert house.comes(0.0, request(priority=0)).waits


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
@settings(max_examples=20, deadline=None)
def test_no_request_of_priority_0_or_more_is_shed_by_priority(priorities: list[int]) -> None:
    house = House(
        policy(
            "overload when pool.queue > 5.0 {\n"
            "  shed when request.priority < 0\n"
            "  queue by request.priority for up to 2s, at most 5\n}"
        )
    )
    house.scrape(0.0, FULL)
    for n, priority in enumerate(priorities):
        house.comes(0.0, request(f"r-{n}", priority=priority))
    house.pump(9.0)

    reasons = {e.rejected.reason for e in house.exchanges}
    assert reasons <= {Reason.QUEUE_FULL, Reason.QUEUE_TIMEOUT}


def test_a_pool_without_endpoints_lets_requests_wait_for_one() -> None:
    house = House(policy("", ROOM))
    first = house.comes(0.0)
    assert first.waits
    assert house.pump(5.0) == 0
    house.scrape(6.0, IDLE)

    assert house.pump(6.0) == 1
    assert first.picked


def test_who_waited_for_an_endpoint_in_vain_is_told_that_there_is_none() -> None:
    house = House(policy("", ROOM))
    first, second = house.comes(0.0), house.comes(1.0)
    assert house.comes(1.0).rejected.reason is Reason.NO_ENDPOINTS  # at most 2
    house.pump(30.0)

    assert first.rejected.reason is Reason.NO_ENDPOINTS
    assert "within 30s" in first.rejected.message
    assert second.waits


def test_who_waited_for_an_endpoint_then_waits_for_its_turn() -> None:
    rule = "overload when pool.queue > 5.0 { queue by request.priority for up to 2s }"
    house = House(policy(rule, ROOM))
    exchange = house.comes(0.0)
    house.scrape(5.0, FULL)
    house.pump(5.0)
    assert exchange.waits
    house.scrape(6.0, IDLE)
    house.pump(6.0)

    assert isinstance(exchange.action, Continue)
    waits = [r for r in exchange.action.records if isinstance(r, Waited)]
    assert [(w.rule, w.waited_s) for w in waits] == [("", 5.0), ("pool.queue > 5.0", 1.0)]


def test_who_waits_for_its_turn_is_told_at_once_if_all_endpoints_go() -> None:
    house = House(QUEUE)
    house.scrape(0.0, FULL)
    exchange = house.comes(0.0)
    for address in [e.address for e in house.store.snapshot.pools["gemma"].endpoints]:
        house.store.failed("gemma", address, "gone", 1.0, refused=True)
    house.pump(1.0)

    assert exchange.rejected.reason is Reason.NO_ENDPOINTS


def test_draining_answers_all_who_wait_and_who_would() -> None:
    house = House(QUEUE)
    house.scrape(0.0, FULL)
    exchange = house.comes(0.0)
    house.store.flows.drain(1.0)
    exchange.resume()

    assert exchange.rejected.reason is Reason.DRAINING
    assert house.comes(1.0).rejected.reason is Reason.DRAINING


def test_a_host_that_drains_turns_away_at_pools_where_nobody_has_waited_yet() -> None:
    house = House(QUEUE)
    house.scrape(0.0, FULL)
    house.store.flows.drain(0.0)

    assert house.comes(1.0).rejected.reason is Reason.DRAINING


def test_a_wait_that_the_host_breaks_off_is_no_way_past_the_queue() -> None:
    house = House(QUEUE)
    house.scrape(0.0, FULL)
    exchange = house.comes(0.0)
    assert exchange.hook is not None
    exchange.hook.close()
    answer = exchange.filter.fallback(request(), 0.2)

    assert getattr(answer, "reason", None) is Reason.QUEUE_TIMEOUT
    assert len(house.flow) == 0


def test_those_who_wait_survive_a_reload_and_go_on_by_their_own_rules() -> None:
    house = House(QUEUE)
    house.scrape(0.0, FULL)
    old = house.comes(0.0)
    house.program = policy("overload when pool.queue > 1.0 { queue by 0 for up to 9s }")
    house.store.adopt(house.program, 1.0)
    new = house.comes(1.0)
    assert new.waits
    house.scrape(1.5, ServerFacts(3, 0, 0.0))
    house.pump(1.5)

    assert old.picked
    assert new.waits


def test_the_queue_of_a_pool_that_is_gone_is_forgotten_once_nobody_waits_in_it() -> None:
    house = House(QUEUE)
    house.scrape(0.0, FULL)
    exchange = house.comes(0.0)
    other = policy("", HEAD.replace("gemma", "other"))
    house.store.adopt(other, 1.0)
    assert house.store.flows.find("gemma") is not None
    exchange.leave(1.0)
    house.store.adopt(other, 1.0)

    assert house.store.flows.find("gemma") is None


def test_nobody_overtakes_while_those_who_were_let_go_are_on_their_way() -> None:
    house = House(policy("overload when pool.queue > 50.0 { queue by 0 for up to 9s }"))
    house.scrape(0.0, ServerFacts(60, 9, 0.5))
    waiting(house, 40)
    house.scrape(1.0, IDLE)
    assert house.flow.pump(house.store.snapshot.pools["gemma"], 1.0) == DEPARTED_MAX
    late = house.comes(1.0)

    assert late.waits
    house.pump(1.0)
    assert not late.waits


def test_who_has_waited_is_picked_by_what_is_cached_then() -> None:
    rule = "overload when pool.queue > 5.0 { queue by 0 fair in tokens by '' for up to 9s }"
    house = House(policy(rule))
    house.scrape(0.0, FULL)
    first, second = (house.comes(0.0, long(f"r-{n}")) for n in range(2))
    house.store.prefixes["gemma"].learn_block(128)
    house.scrape(1.0, IDLE)
    house.pump(1.0)

    assert first.picked == second.picked
    assert isinstance(second.action, Continue)
    (decision,) = [r for r in second.action.records if isinstance(r, Decision)]
    assert isinstance(decision.evidence, Capture)
    assert decision.evidence.request.prefix == {first.picked: 1.0}
