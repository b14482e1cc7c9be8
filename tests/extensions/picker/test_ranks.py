"""Ranks of one server behind one port of their host."""

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.extensions.call import Api, Call, Text
from headrace.extensions.headers import Headers
from headrace.extensions.picker import build
from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.ranks import front, fronts
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.stage import DESTINATION, PickFilter, Served
from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Site
from headrace.extensions.stage import Continue, ExchangeInfo, Request, ResponseHead, Route

RANKS = ("10.0.0.1:8000", "10.0.0.1:8001", "10.0.0.2:8000", "10.0.0.2:8001")
POLICY = """sched 1
pool gemma {{ endpoints {0}  {1} }}
model chatbot {{ route gemma }}
profile default {{ score queue_scorer  pick max  ties by endpoint.in_flight }}
"""
BEHIND = "ranks behind port 8000"


def policy(more: str = BEHIND) -> Program:
    listed = ", ".join(f'"{address}"' for address in RANKS)
    return compile_policy([Source("ranks.sched", POLICY.format(listed, more))])


def ready(program: Program, best: str) -> Store:
    store = Store.for_program(program)
    for address in RANKS:
        store.scraped("gemma", address, ServerFacts(0 if address == best else 9, 0, 0.0), 0.0)
    return store


def opened(program: Program, store: Store) -> PickFilter:
    site = Site(store, report=lambda _: None)
    found = build(program, site).open(ExchangeInfo("r-1", "default", Headers(), 0.0))
    assert isinstance(found, PickFilter)
    return found


def request() -> Request:
    call = Call(Api.CHAT, "chatbot", (Text("user", "hello"),), 2, None, True)
    sent = Headers([(":method", "POST"), (":path", "/v1/chat/completions")])
    return Request("r-1", sent, b"{}", call, route=Route("chatbot", "gemma", "chatbot"))


def in_flight(store: Store) -> dict[str, int]:
    return {e.address: e.in_flight for e in store.snapshot.pools["gemma"].endpoints if e.in_flight}


@pytest.mark.parametrize("best", RANKS)
def test_a_rank_is_picked_and_told_and_its_host_is_the_destination(best: str) -> None:
    program = policy()
    store = ready(program, best)
    action = opened(program, store).on_request(request(), 1.0)

    assert isinstance(action, Continue)
    headers = dict(action.set_headers)
    assert headers["x-data-parallel-host-port"] == best
    destinations = headers[DESTINATION].split(",")
    host = best.rpartition(":")[0]
    assert destinations[0] == f"{host}:8000"
    assert set(destinations) <= {"10.0.0.1:8000", "10.0.0.2:8000"}
    assert len(set(destinations)) == len(destinations)
    assert action.metadata["envoy.lb"][DESTINATION] == headers[DESTINATION]
    (decision,) = [r for r in action.records if isinstance(r, Decision)]
    assert decision.chosen == best
    assert in_flight(store) == {best: 1}


def test_without_it_each_endpoint_is_its_own_destination() -> None:
    program = policy("")
    action = opened(program, ready(program, RANKS[1])).on_request(request(), 1.0)

    assert isinstance(action, Continue)
    assert dict(action.set_headers)[DESTINATION].startswith(RANKS[1])
    assert "x-data-parallel-host-port" not in dict(action.set_headers)


def served(program: Program, store: Store, where: str) -> tuple[object, ...]:
    flt = opened(program, store)
    flt.on_request(request(), 1.0)
    told = {"envoy.lb": {"x-gateway-destination-endpoint-served": where}}
    action = flt.on_response_headers(ResponseHead(200, Headers(), metadata=told), 2.0)
    return action.records if isinstance(action, Continue) else ()


def test_what_its_host_served_stays_counted_at_the_rank() -> None:
    program = policy()
    store = ready(program, RANKS[1])

    assert served(program, store, "10.0.0.1:8000") == ()
    assert in_flight(store) == {RANKS[1]: 1}


def test_what_another_host_served_is_counted_at_the_rank_that_takes_it_there() -> None:
    program = policy()
    store = ready(program, RANKS[1])

    (moved,) = served(program, store, "10.0.0.2:8000")

    assert moved == Served("gemma", RANKS[1], "10.0.0.2:8000")
    assert in_flight(store) == {"10.0.0.2:8000": 1}


def test_addresses_of_ipv6_keep_their_brackets() -> None:
    assert front("[fd00::7]:8003", 8000) == "[fd00::7]:8000"
    assert fronts(["[::1]:1", "[::1]:2", "10.0.0.1:3"], 9) == ("[::1]:9", "10.0.0.1:9")
