from collections import Counter

import pytest

from headrace.dsl.program import Overload, Program, RuleFault, Shed, Term
from headrace.extensions.call import Api, Call, Text
from headrace.extensions.headers import Headers
from headrace.extensions.picker import build
from headrace.extensions.picker.decision import Decision, Fault, How
from headrace.extensions.picker.pressure import ShedRecord
from headrace.extensions.picker.record import Capture
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.stage import DESTINATION, LB, SERVED, PickFilter, Served
from headrace.extensions.picker.store import Store
from headrace.extensions.picker.subset import KEY, NAMESPACE
from headrace.extensions.picker.values import Seen
from headrace.extensions.reasons import Reason
from headrace.extensions.records import RuleError
from headrace.extensions.registry import Site
from headrace.extensions.stage import (
    Continue,
    ExchangeInfo,
    Json,
    OnFailure,
    Outcome,
    Reject,
    Request,
    ResponseHead,
    Route,
)
from tests.extensions.picker.build import (
    ALIVE,
    KV_FREE,
    NAMES,
    PREFIX,
    SHORT_QUEUE,
    keep,
    profile,
    program,
    ready_store,
    when,
)

A, B, C = NAMES
LONG = "tell me about head races and turbines " * 40
DEFAULT = profile(require=(ALIVE,), terms=(Term(3, PREFIX), Term(2, KV_FREE), Term(2, SHORT_QUEUE)))
POLICY = program(DEFAULT)


def request(id: str = "r-1", text: str = LONG, priority: int = 0, **settings: Json) -> Request:
    call = Call(Api.CHAT, "chatbot", (Text("user", text),), len(text) // 4, None, True)
    headers = Headers([(":method", "POST"), (":path", "/v1/chat/completions?x=1"), ("x-a", "1")])
    settings.setdefault("route", Route("chatbot", "gemma", "chatbot", priority=priority))
    return Request(id, headers, b"{}", call, **settings)


def opened(store: Store, policy: Program = POLICY) -> PickFilter:
    stage = build(policy, Site(store, report=lambda outcome: None))
    found = stage.open(ExchangeInfo("r-1", "default", Headers(), 0.0))
    assert isinstance(found, PickFilter)
    return found


def picked(action: object) -> Decision:
    assert isinstance(action, Continue)
    (record,) = action.records
    assert isinstance(record, Decision)
    return record


def end(flt: PickFilter, now_s: float = 2.0) -> None:
    flt.on_end(Outcome(request(), 0.0, now_s, 200, "complete"), now_s)


def counts(store: Store) -> list[int]:
    return [e.in_flight for e in store.snapshot.pools["gemma"].endpoints]


def test_the_destination_stands_in_header_and_metadata_alike() -> None:
    action = opened(ready_store(POLICY)).on_request(request(), 1.0)
    decision = picked(action)
    where = ",".join(decision.destinations)

    assert isinstance(action, Continue)
    assert len(decision.destinations) == 3
    assert action.set_headers == {DESTINATION: where}
    assert action.metadata == {LB: {DESTINATION: where}}


def test_an_endpoint_is_reserved_from_the_pick_to_the_end() -> None:
    store = ready_store(POLICY)
    flt = opened(store)
    decision = picked(flt.on_request(request(), 1.0))

    assert sum(counts(store)) == 1
    state = store.snapshot.pools["gemma"].get(decision.chosen or "")
    assert state is not None
    assert (state.in_flight, state.queue) == (1, 1)
    end(flt)
    end(flt)
    assert counts(store) == [0, 0, 0]


def test_a_burst_of_500_between_two_scrapes_spreads() -> None:
    policy = program(profile(require=(ALIVE,), terms=(Term(1, SHORT_QUEUE),)))
    store = ready_store(policy)
    for n in range(500):
        opened(store, policy).on_request(request(f"r-{n}"), 1.0)

    assert max(counts(store)) - min(counts(store)) <= 1


def test_a_prompt_returns_to_where_it_is_cached_and_another_model_does_not() -> None:
    store = ready_store(POLICY)
    first = picked(opened(store).on_request(request("r-1"), 1.0)).chosen
    for n in range(20):
        flt = opened(store)
        assert picked(flt.on_request(request(f"r-{n}", LONG + "and more"), 1.0)).chosen == first
        end(flt)
    other = request("x", route=Route("chatbot", "gemma", "other-model"))

    ratios = [
        c.raw for r in picked(opened(store).on_request(other, 1.0)).rows() for c in r.cells[:1]
    ]
    assert ratios == [0.0, 0.0, 0.0]


def test_where_a_retry_went_is_where_the_request_counts_and_is_cached() -> None:
    store = ready_store(POLICY)
    flt = opened(store)
    decision = picked(flt.on_request(request(), 1.0))
    served = decision.fallbacks[0]
    head = ResponseHead(200, Headers(), metadata={LB: {SERVED: served}})
    action = flt.on_response_headers(head, 1.5)

    assert isinstance(action, Continue)
    assert action.records == (Served("gemma", decision.chosen or "", served),)
    state = store.snapshot.pools["gemma"].get(served)
    assert state is not None
    assert state.in_flight == 1
    assert sum(counts(store)) == 1
    again = picked(opened(store).on_request(request("r-2"), 1.9))
    assert {r.endpoint.address: r.cells[0].raw for r in again.rows()} == {
        a: float(a == served) for a in NAMES
    }
    end(flt)


@pytest.mark.parametrize(
    "head",
    [
        ResponseHead(200, Headers()),
        ResponseHead(200, Headers(), metadata={LB: {SERVED: "1.2.3.4:5"}}),
        ResponseHead(200, Headers(), metadata={LB: {SERVED: 7}}),
        ResponseHead(503, Headers(), local=True, metadata={LB: {SERVED: B}}),
    ],
    ids=["silent", "foreign", "no text", "local"],
)
def test_a_served_endpoint_that_tells_nothing_changes_nothing(head: ResponseHead) -> None:
    store = ready_store(POLICY)
    flt = opened(store)
    flt.on_request(request(), 1.0)
    before = counts(store)

    assert flt.on_response_headers(head, 1.5) == Continue()
    assert counts(store) == before


def test_a_subset_hint_is_kept_to_and_an_empty_one_is_answered_503() -> None:
    store = ready_store(POLICY)
    hint = request(metadata={NAMESPACE: {KEY: [C]}})
    nothing = request(metadata={NAMESPACE: {KEY: []}})

    assert picked(opened(store).on_request(hint, 1.0)).destinations == (C,)
    rejected = opened(store).on_request(nothing, 1.0)
    assert isinstance(rejected, Reject)
    assert rejected.reason is Reason.NO_ENDPOINTS
    assert rejected.message == "none of the 3 ready endpoints of pool `gemma` is eligible here"


def test_without_a_ready_endpoint_the_answer_is_503_and_nothing_is_reserved() -> None:
    store = Store.for_program(POLICY)
    rejected = opened(store).on_request(request(), 1.0)

    assert isinstance(rejected, Reject)
    assert rejected.reason is Reason.NO_ENDPOINTS
    assert rejected.message == "no endpoint of pool `gemma` is ready; retry when its servers are up"
    assert [r.how for r in rejected.records if isinstance(r, Decision)] == [How.NONE]
    assert counts(store) == [0, 0, 0]


def test_a_route_to_a_pool_that_is_gone_is_answered_503() -> None:
    rejected = opened(ready_store(POLICY)).on_request(request(route=Route("m", "gone", "m")), 1.0)

    assert isinstance(rejected, Reject)
    assert rejected.message == "pool `gone` has no endpoints"


def test_without_a_body_router_the_only_pool_is_taken() -> None:
    two = program(DEFAULT, pools={"a": (A,), "b": (B,)})
    rejected = opened(ready_store(two), two).on_request(request(route=None), 1.0)

    assert (
        picked(opened(ready_store(POLICY)).on_request(request(route=None), 1.0)).model == "chatbot"
    )
    assert isinstance(rejected, Reject)
    assert "put `body_router` before" in rejected.message


CROWDED = Overload(
    when("pool.kv_cache > 80% || pool.queue > 5.0", lambda r, p: p.kv_cache > 0.8 or p.queue > 5.0),
    sheds=(
        Shed(when("broken", lambda r, p: RuleFault("division-by-zero"))),
        Shed(when("request.priority < 0", lambda r, p: r.priority < 0), 429, "later", 3.0),
    ),
)


@pytest.mark.parametrize(
    ("kv_cache", "queue", "priority", "shed"),
    [
        (0.5, 0, -10, False),
        (0.9, 0, -10, True),
        (0.9, 0, 0, False),
        (0.9, 0, 10, False),
        (0.1, 6, -1, True),
        (0.1, 5, -1, False),
    ],
)
def test_only_what_the_policy_names_is_shed_and_only_when_crowded(
    kv_cache: float, queue: int, priority: int, shed: bool
) -> None:
    policy = program(DEFAULT, overloads=(CROWDED,))
    store = Store.for_program(policy)
    for address in NAMES:
        store.scraped("gemma", address, ServerFacts(queue, 1, kv_cache), 0.5)
    action = opened(store, policy).on_request(request(priority=priority), 1.0)

    assert isinstance(action, Reject) is shed
    if isinstance(action, Reject):
        assert (action.reason, action.status, action.retry_after_s) == (Reason.SHED, 429, 3.0)
        assert action.message == "later"
        record, error = action.records
        assert isinstance(record, ShedRecord)
        assert error == RuleError("broken", "division-by-zero")
        assert (record.shed, record.shed_line) == ("request.priority < 0", "test.sched:1")
        assert counts(store) == [0, 0, 0]
    elif kv_cache > 0.8:
        assert picked(action).faults == (Fault("broken", "division-by-zero"),)


def test_an_overload_of_other_pools_does_not_matter() -> None:
    always = when("true", lambda r, p: True)
    policy = program(DEFAULT, overloads=(Overload(always, ("other",), (Shed(always),)),))

    assert picked(opened(ready_store(policy), policy).on_request(request(), 1.0)).chosen


def test_when_the_policy_crashes_the_least_busy_endpoint_is_taken_and_one_reserved() -> None:
    broken = keep("broken", lambda e, _: 1 // 0 > 0)
    policy = program(profile(require=(broken,)))
    store = ready_store(policy)
    stage = build(policy, Site(store, report=lambda outcome: None))
    for address in (A, B):
        store.reserve("gemma", address, 0.5)
    flt = opened(store, policy)
    with pytest.raises(ZeroDivisionError):
        flt.on_request(request(), 1.0)
    decision = picked(flt.fallback(request(), 1.0))

    assert stage.on_failure is OnFailure.FALLBACK
    assert (decision.how, decision.chosen) == (How.FALLBACK, C)
    assert counts(store) == [1, 1, 1]
    end(flt)
    assert counts(store) == [1, 1, 0]


def test_a_fallback_after_a_reservation_does_not_count_twice() -> None:
    store = ready_store(POLICY)
    flt = opened(store)
    flt.on_request(request(), 1.0)
    flt.fallback(request(), 1.0)

    assert sum(counts(store)) == 1


def test_a_fallback_without_a_pool_is_answered_503() -> None:
    two = program(DEFAULT, pools={"a": (A,), "b": (B,)})
    rejected = opened(ready_store(two), two).fallback(request(route=None), 1.0)

    assert isinstance(rejected, Reject)
    assert rejected.reason is Reason.NO_ENDPOINTS


def test_a_policy_that_never_looks_at_prefixes_fills_no_index() -> None:
    policy = program(profile(terms=(Term(1, SHORT_QUEUE),)))
    store = ready_store(policy)
    opened(store, policy).on_request(request(), 1.0)

    assert len(store.prefixes["gemma"]) == 0


def test_rules_see_the_request_as_the_chain_has_it() -> None:
    seen: list[tuple[object, ...]] = []

    def look(r: object) -> bool:
        fields = ("id", "model", "adapter", "path", "method", "priority")
        more = ("prompt_tokens", "max_tokens", "stream", "size")
        seen.append(tuple(getattr(r, f) for f in (*fields, *more)))
        seen.append((dict(getattr(r, "headers")),))  # noqa: B009 - typed as object on purpose
        return False

    policy = program(DEFAULT, overloads=(Overload(when("look", lambda r, p: look(r))),))
    route = Route("chatbot", "gemma", "t", adapter="lora", priority=7)
    opened(ready_store(policy), policy).on_request(request("r-9", "x" * 40, route=route), 1.0)
    bare = Request("r-0", Headers([("x-a", "1"), ("x-a", "2")]), route=route)
    opened(ready_store(policy), policy).on_request(bare, 1.0)

    path = "/v1/chat/completions"
    assert seen[0] == ("r-9", "chatbot", "lora", path, "POST", 7, 10, 0, True, 2)
    assert seen[2] == ("r-0", "chatbot", "lora", "", "", 7, 0, 0, False, 0)
    assert seen[3] == ({"x-a": "1"},)


def test_ties_spread_over_all_endpoints() -> None:
    store = ready_store(POLICY)
    chosen: Counter[str | None] = Counter()
    for n in range(90):
        flt = opened(store)
        chosen[picked(flt.on_request(request(f"r-{n}", "short"), 1.0)).chosen] += 1
        end(flt)

    assert min(chosen[a] for a in NAMES) >= 15


def test_a_decision_that_is_kept_does_not_keep_the_prompt() -> None:
    decision = picked(opened(ready_store(POLICY)).on_request(request(), 1.0))
    seen = decision.evidence

    assert isinstance(seen, Capture)
    assert isinstance(seen.request, Seen)
    assert LONG not in repr(seen.request)
    assert seen.request.headers == {}
