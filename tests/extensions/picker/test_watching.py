"""The picker of a policy that reads the cost model follows answers, and no other does."""

import pytest
from msgspec.structs import replace

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.extensions.call import Api, Call, Text
from headrace.extensions.headers import Headers
from headrace.extensions.picker import build
from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.placement import BLIND_MIN, Watch
from headrace.extensions.picker.snapshot import Endpoint, ServerFacts
from headrace.extensions.picker.stage import LB, SERVED, Picker, WatchingFilter
from headrace.extensions.picker.store import Store
from headrace.extensions.reasons import Reason
from headrace.extensions.records import Usage
from headrace.extensions.registry import Site
from headrace.extensions.stage import (
    Continue,
    ExchangeInfo,
    Outcome,
    Request,
    ResponseEvent,
    ResponseHead,
    ResponseNeed,
    Route,
    StageRun,
)
from headrace.extensions.work import NO_WORK

A, B = "10.0.0.1:8000", "10.0.0.2:8000"
HEAD = f'sched 1\npool p {{ endpoints "{A}", "{B}" }}\n'
MODEL = "model m { route p  objective tpot p95 < 50ms }\n"
FIRST = """cost first = endpoint.predicted_ttft
profile default { minimize first  pick least }"""
LATE = """cost late = endpoint.slo_slack
profile default { minimize late  pick least }"""
EVENT = ResponseEvent(b"data: {}\n\n", b"{}", True)


def policy(rules: str = FIRST) -> Program:
    return compile_policy([Source("t", HEAD + MODEL + rules)])


def world(rules: str = FIRST) -> tuple[Picker, Store]:
    program = policy(rules)
    store = Store.for_program(program)
    for address in (A, B):
        store.scraped("p", address, ServerFacts(0, 0, 0.1), 0.0)
    return build(program, Site(store, report=lambda outcome: None)), store


def request(id: str = "r-1", stream: bool = True, text: str = "many words " * 400) -> Request:
    call = Call(Api.CHAT, "m", (Text("user", text),), len(text) // 4, 90, stream)
    headers = Headers([(":method", "POST"), (":path", "/v1/chat/completions")])
    return Request(id, headers, b"{}", call, Route("m", "p", "m"))


def opened(picker: Picker) -> WatchingFilter:
    found = picker.open(ExchangeInfo("r-1", "default", Headers(), 0.0))
    assert isinstance(found, WatchingFilter)
    return found


def chosen(picker: WatchingFilter, now_s: float, asked: Request | None = None) -> Decision:
    action = picker.on_request(asked or request(), now_s)
    assert isinstance(action, Continue)
    (decision,) = action.records
    assert isinstance(decision, Decision)
    return decision


def endpoint(store: Store, address: str | None) -> Endpoint:
    found = store.snapshot.pools["p"].get(address or "")
    assert found is not None
    return found


def outcome(**settings: object) -> Outcome:
    whole = Outcome(request(), 1.0, 3.0, 200, "complete", event_count=7, event_stream=True)
    return replace(whole, **settings)


def test_only_who_reads_the_model_observes_answers() -> None:
    plain, _ = world("scorer q = 1.0 / (1.0 + double(endpoint.queue))\nprofile default { score q }")
    reading, _ = world()
    counting, _ = world(LATE)

    assert (plain.watch, plain.needs.response) == (Watch.NOTHING, ResponseNeed.NONE)
    assert (reading.watch, reading.needs.response) == (Watch.ENDS, ResponseNeed.OBSERVE)
    assert counting.watch is Watch.PIECES
    assert not isinstance(plain.open(ExchangeInfo("r", "c", Headers(), 0.0)), WatchingFilter)


def test_the_first_event_is_the_first_token_and_the_head_is_not() -> None:
    picker, store = world()
    watching = opened(picker)
    address = chosen(watching, 1.0).chosen
    watching.on_response_headers(ResponseHead(200, Headers()), 1.2)
    assert (endpoint(store, address).decoding, endpoint(store, address).in_flight) == (0, 1)
    watching.on_response_event(EVENT, 1.5)
    watching.on_response_event(EVENT, 1.6)
    e = endpoint(store, address)

    assert (e.decoding, e.uncached_tokens_in_flight) == (1, 0)
    assert e.outlook.ttft(e, NO_WORK, 1.5) == pytest.approx(0.5)
    watching.on_end(outcome(), 3.0)
    e = endpoint(store, address)
    assert (e.decoding, e.in_flight, e.tokens_in_flight) == (0, 0, 0)


def test_pieces_of_a_body_that_is_no_stream_are_no_tokens() -> None:
    picker, store = world()
    watching = opened(picker)
    address = chosen(watching, 1.0, request(stream=False)).chosen
    watching.on_response_event(ResponseEvent(b"{", b"{", False), 9.0)

    assert endpoint(store, address).decoding == 0


def test_pieces_are_counted_where_a_rule_asks_how_far_answers_are_ahead() -> None:
    picker, store = world(LATE)
    watching = opened(picker)
    address = chosen(watching, 1.0).chosen
    watching.on_response_event(EVENT, 2.0)
    for _ in range(9):
        watching.on_response_event(EVENT, 2.0)
    store.release(store.reserve("p", address or "", 2.0), 2.0)  # which counts anew

    # Its model promises 50 ms per token, and ten are there.
    assert endpoint(store, address).carried.slacks_s == pytest.approx((0.5,))


@pytest.mark.parametrize(
    ("ended", "rate"),
    [
        (outcome(), 0.0),
        (outcome(status=503), 0.2),
        (outcome(status=0, termination="processor-abort"), 0.2),
        (outcome(status=429), 0.0),
        (outcome(status=0, termination="client-gone"), 0.0),
        (outcome(status=503, reason=Reason.SHED), 0.0),
    ],
)
def test_what_counts_as_a_failure_of_the_endpoint(ended: Outcome, rate: float) -> None:
    picker, store = world()
    watching = opened(picker)
    address = chosen(watching, 1.0).chosen
    watching.on_end(ended, 3.0)
    e = endpoint(store, address)

    assert e.outlook.error_rate(e, NO_WORK, 3.0) == pytest.approx(rate)
    assert e.in_flight == 0


def test_a_retry_elsewhere_counts_against_the_one_picked() -> None:
    picker, store = world()
    watching = opened(picker)
    address = chosen(watching, 1.0).chosen
    other = B if address == A else A
    head = ResponseHead(200, Headers(), metadata={LB: {SERVED: other}})
    watching.on_response_headers(head, 1.2)
    watching.on_response_event(EVENT, 1.5)
    watching.on_end(outcome(), 3.0)
    picked, served = endpoint(store, address), endpoint(store, other)

    assert picked.outlook.error_rate(picked, NO_WORK, 3.0) > 0.15
    assert served.outlook.error_rate(served, NO_WORK, 3.0) == 0.0
    assert served.outlook.ttft(served, NO_WORK, 3.0) == pytest.approx(0.3)
    assert (picked.in_flight, served.in_flight) == (0, 0)


def test_the_length_of_answers_is_what_the_server_counted_or_how_many_events_came() -> None:
    counted = StageRun("observability", "on_response_end", 2.0, 2.0, "continue", records=(
        Usage(500, 40),
    ))  # fmt: skip
    for ended, tokens in ((outcome(runs=(counted,)), 40), (outcome(), 7)):
        picker, store = world()
        for i in range(300):
            watching = opened(picker)
            chosen(watching, 1.0, request(f"r-{i}", text=f"{i} " * 90))
            watching.on_response_event(EVENT, 1.1)
            watching.on_end(ended, 2.0)
        means = endpoint(store, A).outlook.means
        assert tokens <= means.output_tokens < tokens + 30


def test_where_bodies_do_not_come_prompts_are_done_when_predicted() -> None:
    picker, store = world()
    for i in range(BLIND_MIN):
        watching = opened(picker)
        chosen(watching, 1.0, request(f"r-{i}"))
        watching.on_end(outcome(event_count=0), 2.0)
    watching = opened(picker)
    address = chosen(watching, 3.0).chosen
    store.scraped("p", address or "", ServerFacts(0, 1, 0.1), 30.0)
    assert endpoint(store, address).decoding == 1
    watching.on_response_event(EVENT, 30.5)  # they do come
    watching.on_end(outcome(), 31.0)
    again = opened(picker)
    address = chosen(again, 40.0).chosen
    store.scraped("p", address or "", ServerFacts(0, 1, 0.1), 60.0)
    assert endpoint(store, address).decoding == 0


def test_a_decision_can_be_explained_when_the_world_has_gone_on() -> None:
    picker, store = world()
    for i in range(5):
        chosen(opened(picker), 1.0, request(f"r-{i}"))
    decision = chosen(opened(picker), 1.5)
    for i in range(5):
        chosen(opened(picker), 9.0, request(f"s-{i}"))
    store.scraped("p", A, ServerFacts(99, 99, 0.99), 9.0)
    totals = dict(zip([e.address for e in decision.scored], decision.totals, strict=True))

    assert min(totals, key=totals.__getitem__) == decision.chosen
    assert all(0.0 < total < 5.0 for total in totals.values())
    assert decision.margin == pytest.approx(abs(totals[A] - totals[B]))


def test_an_answer_that_is_no_stream_of_the_server_says_nothing_of_what_can_be_seen() -> None:
    picker, store = world()
    for status in (400, 404, 429, 0) * BLIND_MIN:
        watching = opened(picker)
        chosen(watching, 1.0)
        watching.on_end(outcome(status=status, termination="client-gone", event_count=0), 2.0)

    assert store.blind_streams == 0
