"""What runs and can wait makes room for what cannot, within bounds."""

import pytest

from headrace.extensions.picker.eviction import AT_ONCE_MAX, REST_S, Evicted, Stay, Stays
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Continue, Outcome, Reject
from tests.extensions.picker.queueing import FULL, HEAD, IDLE, Exchange, House, policy, request

EVICTS = """overload when pool.queue > 5.0 {
  evict when request.header("x-job") == "batch"
}
"""


def house(text: str = EVICTS) -> House:
    found = House(policy(text))
    found.scrape(0.0, IDLE)
    return found


def runs(one: House, name: str, priority: int = -1, now_s: float = 1.0) -> Stay | None:
    """Let a batch request run; return what would end it."""
    found = one.comes(now_s, request(name, priority, x_job="batch"))
    return stay_of(found)


def stay_of(exchange: Exchange) -> Stay | None:
    assert isinstance(exchange.action, Continue), exchange.action
    watch = exchange.action.watch
    assert watch is None or isinstance(watch, Evicted)
    return watch.stay if watch else None


def test_an_urgent_request_at_a_full_pool_ends_what_can_wait() -> None:
    one = house()
    stay = runs(one, "b-1")
    assert stay is not None
    one.comes(2.0)
    assert stay.ended is None  # there is room
    one.scrape(3.0, FULL)
    one.comes(4.0, request("b-2", -1))
    assert stay.ended is None  # who can wait ends nobody
    urgent = one.comes(4.0)

    assert isinstance(urgent.action, Continue)
    assert stay.ended is not None
    assert stay.ended.reason is Reason.EVICTED
    assert stay.ended.retry_after_s == 1.0
    assert len(one.store.stays["gemma"]) == 0


@pytest.mark.parametrize("priority", [0, 5])
def test_what_is_urgent_itself_is_never_ended(priority: int) -> None:
    assert runs(house(), "b-1", priority) is None


def test_only_those_for_which_the_rule_held_are_ended() -> None:
    one = house()

    assert stay_of(one.comes(1.0, request("r-1", -5))) is None
    assert one.store.stays == {}


def test_a_policy_that_ends_nobody_watches_nobody() -> None:
    one = house("overload when pool.queue > 5.0 { shed when request.priority < -9 }\n")

    assert runs(one, "b-1") is None


def test_a_rule_that_fails_ends_nobody() -> None:
    one = house(EVICTS.replace('request.header("x-job")', 'request.headers["x-none"]'))

    assert runs(one, "b-1") is None


def test_the_least_urgent_go_first_then_those_that_came_last_and_two_at_once() -> None:
    one = house()
    stays = {
        name: runs(one, name, priority, now_s)
        for name, priority, now_s in (
            ("old", -1, 1.0), ("new", -1, 2.0), ("least", -7, 1.5), ("newest", -1, 2.5),
        )
    }  # fmt: skip
    one.scrape(3.0, FULL)
    one.comes(4.0)

    def ended() -> list[str]:
        return [name for name, stay in stays.items() if stay and stay.ended]

    assert AT_ONCE_MAX == 2
    assert ended() == ["least", "newest"]
    one.comes(4.0 + REST_S / 2)
    assert ended() == ["least", "newest"]  # the room they give back shows later
    one.comes(4.1 + REST_S)
    assert ended() == ["old", "new", "least", "newest"]


def test_who_is_over_is_not_ended_any_more() -> None:
    one = house()
    found = one.comes(1.0, request("b-1", -1, x_job="batch"))
    stay = stay_of(found)
    found.filter.on_end(Outcome(request(), 1.0, 2.0, 200, "complete"), 2.0)
    one.scrape(3.0, FULL)
    one.comes(4.0)

    assert stay is not None
    assert stay.ended is None
    assert len(one.store.stays["gemma"]) == 0


def test_who_has_to_wait_ends_what_can_too() -> None:
    one = house(
        "overload when pool.queue > 5.0 { evict when request.priority < 0\n"
        "  queue by request.priority for up to 5s }\n"
    )
    stay = runs(one, "b-1")
    one.scrape(3.0, FULL)
    urgent = one.comes(4.0)

    assert urgent.waits
    assert stay is not None
    assert stay.ended is not None


def test_another_pool_is_left_alone() -> None:
    other = 'pool other { endpoints "127.0.0.1:9" }\nmodel x { route other }\nmodel chat'
    head = HEAD.replace("model chat", other)
    one = House(policy(EVICTS.replace("overload when", "overload for other when"), head))
    one.scrape(0.0, IDLE)

    assert runs(one, "b-1") is None


def test_who_listens_late_is_told_all_the_same() -> None:
    stays = Stays()
    _, stay = stays.enter(-1, 1.0)
    assert stays.evict(2.0) == 1
    assert stay.ended is not None
    told: list[Reject] = []
    _, other = stays.enter(-1, 1.0)
    other.tell = told.append
    assert stays.evict(2.0 + REST_S) == 1
    assert told == [other.ended]
    assert stays.evict(9.0) == 0
