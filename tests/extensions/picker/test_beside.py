"""Prefill and decode on different endpoints, and requests that are refused after the pick."""

import re

from msgspec import structs

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.extensions.call import Api, Call, Media, Text
from headrace.extensions.headers import Headers
from headrace.extensions.picker import build
from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.explain import explain
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.stage import DESTINATION, PickFilter, WatchingFilter
from headrace.extensions.picker.store import Store
from headrace.extensions.reasons import Reason
from headrace.extensions.records import RuleError
from headrace.extensions.registry import Site
from headrace.extensions.stage import (
    Continue,
    ExchangeInfo,
    Outcome,
    Reject,
    Request,
    ResponseEvent,
    ResponseHead,
    Route,
)
from headrace.extensions.work import NO_WORK

D1, D2, P1, P2, E1 = (f"10.0.0.{i}:8000" for i in range(1, 6))
LONG = "the water that drives the wheel " * 100
SHORT = "hello"
POLICY = """sched 1
pool gemma {{ endpoints "10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:8000", "10.0.0.4:8000",
                        "10.0.0.5:8000" }}
model chatbot {{ route gemma }}
filter decodes  = endpoint.name in ["10.0.0.1:8000", "10.0.0.2:8000"]
filter prefills = endpoint.name in ["10.0.0.3:8000", "10.0.0.4:8000"] && endpoint.kv_cache < 90%
filter encodes  = endpoint.name == "10.0.0.5:8000"
profile default {{
  require decodes
  score   3 * prefix_cache_scorer + queue_scorer
  {also}
}}
profile prefill {{ require prefills  score active_request_scorer }}
profile encode  {{ require encodes  pick random }}
"""
SAME = f"endpoint.name == '{D1}'"
BY_TOKENS = """also pick prefill by profile prefill
    when double(request.prompt_tokens) * (1.0 - endpoint.prefix_match) >= 512.0"""


def policy(also: str) -> Program:
    return compile_policy([Source("beside.sched", POLICY.format(also=also))])


def ready(program: Program) -> Store:
    store = Store.for_program(program)
    for i, address in enumerate(program.pools["gemma"].endpoints):
        store.scraped("gemma", address, ServerFacts(i, 0, 0.0), 0.0)
    return store


def opened(program: Program, store: Store) -> PickFilter:
    found = build(program, Site(store, report=lambda _: None)).open(
        ExchangeInfo("r-1", "default", Headers(), 0.0)
    )
    assert isinstance(found, PickFilter)
    return found


def request(text: str = LONG, **headers: str) -> Request:
    call = Call(Api.CHAT, "chatbot", (Text("user", text),), len(text) // 4, None, True)
    sent = [(":method", "POST"), (":path", "/v1/chat/completions"), *headers.items()]
    return Request("r-1", Headers(sent), b"{}", call, route=Route("chatbot", "gemma", "chatbot"))


def told(action: object) -> dict[str, str]:
    assert isinstance(action, Continue), action
    return dict(action.set_headers)


def decision(action: object) -> Decision:
    assert isinstance(action, Continue | Reject)
    (found,) = [r for r in action.records if isinstance(r, Decision)]
    return found


def in_flight(store: Store) -> dict[str, int]:
    return {e.address: e.in_flight for e in store.snapshot.pools["gemma"].endpoints if e.in_flight}


def test_who_decodes_is_the_destination_and_who_prefills_and_encodes_is_told_by_headers() -> None:
    program = policy("also pick prefill by profile prefill  also pick encode by profile encode")

    headers = told(opened(program, ready(program)).on_request(request(), 1.0))

    assert headers[DESTINATION].split(",")[0] == D1
    assert headers["x-prefiller-host-port"] in (P1, P2)
    assert headers["x-encoder-hosts-ports"] == E1


def test_a_short_prompt_is_prefilled_where_it_is_decoded() -> None:
    program = policy(BY_TOKENS)

    flt = opened(program, ready(program))

    assert told(flt.on_request(request(SHORT), 1.0)).keys() == {DESTINATION}


def test_a_prompt_that_is_cached_where_it_is_decoded_needs_no_other_prefill() -> None:
    program = policy(BY_TOKENS)
    store = ready(program)

    first = told(opened(program, store).on_request(request(), 1.0))
    again = told(opened(program, store).on_request(request(), 1.1))

    assert "x-prefiller-host-port" in first
    assert again[DESTINATION].split(",")[0] == first[DESTINATION].split(",")[0]
    assert "x-prefiller-host-port" not in again


def test_both_are_counted_from_the_pick_on_and_prefill_until_the_answer_begins() -> None:
    program = policy("also pick prefill by profile prefill")
    store = ready(program)
    flt = opened(program, store)

    prefill = told(flt.on_request(request(), 1.0))["x-prefiller-host-port"]
    assert in_flight(store) == {D1: 1, prefill: 1}
    flt.on_response_headers(ResponseHead(200, Headers()), 1.5)
    assert in_flight(store) == {D1: 1}
    flt.on_end(Outcome(request(), 0.0, 2.0, 200, "complete"), 2.0)
    assert in_flight(store) == {}


def test_what_ends_without_an_answer_is_released_everywhere() -> None:
    program = policy("also pick prefill by profile prefill")
    store = ready(program)
    flt = opened(program, store)

    flt.on_request(request(), 1.0)
    flt.on_end(Outcome(request(), 0.0, 2.0, 0, "client-gone"), 2.0)

    assert in_flight(store) == {}


def test_a_burst_spreads_over_those_who_prefill() -> None:
    program = policy("also pick prefill by profile prefill")
    store = ready(program)

    picked = [
        told(opened(program, store).on_request(request(f"{LONG}{i}"), 1.0))["x-prefiller-host-port"]
        for i in range(10)
    ]

    assert {address: picked.count(address) for address in picked} == {P1: 5, P2: 5}


def test_nobody_is_picked_beside_if_nobody_passes_its_profile() -> None:
    program = policy("also pick prefill by profile prefill")
    store = ready(program)
    for address in (P1, P2):
        store.scraped("gemma", address, ServerFacts(0, 0, 0.97), 0.5)

    assert told(opened(program, store).on_request(request(), 1.0)).keys() == {DESTINATION}


def test_an_endpoint_is_not_picked_beside_itself() -> None:
    text = POLICY.format(also="also pick prefill by profile prefill")
    program = compile_policy([Source("same.sched", re.sub("(?<=prefills = ).*", SAME, text))])

    assert told(opened(program, ready(program)).on_request(request(), 1.0)).keys() == {DESTINATION}


def test_a_condition_that_fails_picks_nobody_and_is_counted() -> None:
    program = policy("also pick prefill by profile prefill when 10 / endpoint.running > 1")

    action = opened(program, ready(program)).on_request(request(), 1.0)

    assert told(action).keys() == {DESTINATION}
    assert isinstance(action, Continue)
    assert RuleError("default.prefill", "division-by-zero") in action.records


def test_the_record_and_the_explanation_have_both() -> None:
    program = policy("also pick prefill by profile prefill")

    found = decision(opened(program, ready(program)).on_request(request(), 1.0))

    ((role, other),) = found.beside
    assert (role, other.profile) == ("prefill", "prefill")
    assert found.as_json()["beside"]["prefill"]["chosen"] == other.chosen
    text = explain(found)
    assert "beside it, to prefill:" in text
    assert text.count("◀ picked") == 2


CONDITIONAL = """refuse
    when request.header("prefer") == "if-available" && endpoint.prefix_match == 0.0
    with 412 "nothing of it is cached\""""


def test_conditional_decode_is_refused_unless_the_prompt_is_cached() -> None:
    program = policy(CONDITIONAL)
    store = ready(program)
    asked = request(prefer="if-available")

    refused = opened(program, store).on_request(asked, 1.0)
    assert isinstance(refused, Reject)
    assert (refused.reason, refused.status) == (Reason.REFUSED, 412)
    assert refused.message == "nothing of it is cached"
    assert in_flight(store) == {}
    assert decision(refused).chosen == D1

    assert isinstance(opened(program, store).on_request(request(), 1.1), Continue)
    assert isinstance(opened(program, store).on_request(asked, 1.2), Continue)


def test_a_refusal_that_fails_refuses_nothing_and_is_counted() -> None:
    program = policy("refuse when 10 / endpoint.running > 1")

    action = opened(program, ready(program)).on_request(request(), 1.0)

    assert isinstance(action, Continue)
    assert RuleError("default.refuse", "division-by-zero") in action.records


def test_a_pick_without_the_policy_counts_nobody_beside_it() -> None:
    program = policy("also pick prefill by profile prefill")
    store = ready(program)
    flt = opened(program, store)
    flt.on_request(request(), 1.0)

    where = told(flt.fallback(request(), 1.1))

    assert in_flight(store) == {where[DESTINATION].split(",")[0]: 1}


def test_a_burst_spreads_over_those_who_prefill_by_the_cost_model_too() -> None:
    text = POLICY.format(also="also pick prefill by profile prefill")
    text = text.replace(
        "profile prefill { require prefills  score active_request_scorer }",
        "cost soon = endpoint.predicted_ttft\n"
        "profile prefill { require prefills  minimize soon  pick least }",
    )
    program = compile_policy([Source("cost.sched", text)])
    store = ready(program)
    for address in (P1, P2):
        store.scraped("gemma", address, ServerFacts(0, 0, 0.0), 0.5)
    flights = [opened(program, store) for _ in range(10)]
    picked = [
        told(flt.on_request(request(f"{n} {LONG}"), 1.0))["x-prefiller-host-port"]
        for n, flt in enumerate(flights)
    ]

    assert {address: picked.count(address) for address in picked} == {P1: 5, P2: 5}
    for flt in flights:
        flt.on_response_headers(ResponseHead(200, Headers()), 2.0)
    left = {e.address: e.uncached_tokens_in_flight for e in store.snapshot.pools["gemma"].endpoints}
    assert (left[P1], left[P2]) == (0, 0)


def modelled() -> Program:
    text = POLICY.format(also="also pick prefill by profile prefill")
    text = text.replace(
        "prefills  score active_request_scorer", "prefills  minimize soon  pick least"
    )
    return compile_policy([Source("c.sched", f"{text}cost soon = endpoint.predicted_ttft\n")])


def test_who_decodes_is_charged_the_room_of_a_prompt_that_comes_and_not_its_work() -> None:
    program = modelled()
    store = ready(program)
    flt = opened(program, store)
    where = told(flt.on_request(request(), 1.0))
    known = {e.address: e for e in store.snapshot.pools["gemma"].endpoints}
    decodes, prefills = known[D1], known[where["x-prefiller-host-port"]]
    tokens = len(LONG) // 4

    assert (decodes.tokens_in_flight, decodes.uncached_tokens_in_flight) == (tokens, 1)
    assert prefills.uncached_tokens_in_flight == tokens
    assert decodes.carried.unseen_tokens == tokens
    assert decodes.carried.filled_tokens >= tokens


def test_a_first_token_of_a_prompt_that_came_says_nothing_of_who_decodes() -> None:
    program = modelled()
    store = ready(program)
    flt = opened(program, store)
    flt.on_request(request(), 1.0)
    flt.on_response_headers(ResponseHead(200, Headers()), 9.0)
    assert isinstance(flt, WatchingFilter)
    flt.on_response_event(ResponseEvent(b"data: x\n\n", b"x", True), 9.0)
    (decodes, *_) = store.snapshot.pools["gemma"].endpoints

    assert decodes.decoding == 1
    assert decodes.outlook.ttft(decodes, NO_WORK, 9.0) == 8.0
    assert decodes.outlook.speed(decodes, NO_WORK, 9.0) == 1.0


RACKS = """sched 1
pool gemma {
  endpoint "10.0.0.1:8000" { role decode   zone a  labels topology.kubernetes.io/rack = "r1" }
  endpoint "10.0.0.2:8000" { role decode   zone b  labels topology.kubernetes.io/rack = "r2" }
  endpoint "10.0.0.3:8000" { role prefill  zone a  labels topology.kubernetes.io/rack = "r9" }
  endpoint "10.0.0.4:8000" { role prefill  zone b  labels topology.kubernetes.io/rack = "r2" }
  endpoint "10.0.0.5:8000" { role encode }
}
model chatbot { route gemma }
scorer wanted = endpoint.name == request.header("x-want") ? 100% : 0%
profile default {
  require decode_filter
  score   wanted + topology_affinity_scorer
  also pick prefill by profile prefill
  also pick encode by profile encode
}
profile prefill { require prefill_filter  score topology_affinity_scorer }
profile encode  { require encode_filter  score mm_embeddings_cache_scorer }
"""


def test_who_prefills_is_near_to_who_decodes() -> None:
    program = compile_policy([Source("racks.sched", RACKS)])
    found: dict[str, str] = {}
    for want in (D1, D2):
        action = opened(program, ready(program)).on_request(request(**{"x-want": want}), 1.0)
        headers = told(action)
        assert headers[DESTINATION].split(",")[0] == want
        found[want] = headers["x-prefiller-host-port"]
        (_, beside), _ = decision(action).beside
        assert "topology_affinity_scorer" in explain(beside)

    assert found == {D1: P1, D2: P2}


def test_who_encodes_and_who_decodes_has_the_pictures() -> None:
    program = compile_policy([Source("racks.sched", RACKS)])
    store, asked = ready(program), request()
    assert isinstance(asked.call, Call)
    call = structs.replace(asked.call, media=(Media(0, 7),))
    action = opened(program, store).on_request(structs.replace(asked, call=call), 1.0)
    chosen = decision(action).chosen

    assert chosen is not None
    assert store.affinities["gemma"].media([7]) == {chosen: 1.0, E1: 1.0}
