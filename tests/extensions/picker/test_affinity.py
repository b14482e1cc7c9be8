"""Sessions that find their endpoint again, by id or by a signed token, and cold prompts."""

from base64 import urlsafe_b64encode

import pytest
from msgspec import structs

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.extensions.body_router import build as build_router
from headrace.extensions.body_router.stage import Router
from headrace.extensions.call import Api, Call, Media, Text
from headrace.extensions.headers import Headers
from headrace.extensions.picker import build
from headrace.extensions.picker.affinity import (
    MEDIA_ASKED_MAX,
    MEDIA_MAX,
    SESSION_TTL_S,
    Affinity,
    Tokens,
)
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.stage import DESTINATION, PickFilter
from headrace.extensions.picker.store import Store
from headrace.extensions.records import RuleError
from headrace.extensions.registry import Site
from headrace.extensions.stage import Continue, ExchangeInfo, Request, ResponseHead, Route
from headrace.extensions.values import Bonds

A, B, C = (f"10.0.0.{i}:8000" for i in range(1, 4))
KEY = b"k" * 32
POLICY = f"""sched 1
pool gemma {{{{ endpoints "{A}", "{B}", "{C}" }}}}
model chatbot {{{{ route gemma }}}}
profile default {{{{ score {{scored}}  pick max  ties by endpoint.in_flight }}}}
{{more}}
"""


def policy(scored: str = "session_affinity_scorer", more: str = "") -> Program:
    return compile_policy([Source("affinity.sched", POLICY.format(scored=scored, more=more))])


def ready(program: Program) -> Store:
    store = Store.for_program(program)
    for address in program.pools["gemma"].endpoints:
        store.scraped("gemma", address, ServerFacts(0, 0, 0.0), 0.0)
    return store


def opened(program: Program, store: Store) -> PickFilter:
    site = Site(store, report=lambda _: None, session_key=KEY)
    found = build(program, site).open(ExchangeInfo("r-1", "default", Headers(), 0.0))
    assert isinstance(found, PickFilter)
    return found


def request(number: int = 1, text: str = "", **headers: str) -> Request:
    call = Call(Api.CHAT, "chatbot", (Text("user", text),), len(text) // 4, None, True)
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    sent = [(":method", "POST"), (":path", "/v1/chat/completions"), *named]
    route = Route("chatbot", "gemma", "chatbot")
    return Request(f"r-{number}", Headers(sent), b"{}", call, route=route)


def picked(flt: PickFilter, asked: Request, now_s: float = 1.0) -> str:
    action = flt.on_request(asked, now_s)
    assert isinstance(action, Continue)
    return dict(action.set_headers)[DESTINATION].partition(",")[0]


def test_a_session_goes_where_it_went_before_although_others_are_idle() -> None:
    program = policy()
    store = ready(program)

    first = picked(opened(program, store), request(1, x_session_id="s-1"))
    again = [picked(opened(program, store), request(i, x_session_id="s-1")) for i in range(2, 9)]

    assert set(again) == {first}
    assert picked(opened(program, store), request(9, x_session_id="s-2")) != first


def test_a_session_is_forgotten_when_it_has_not_been_seen_for_long() -> None:
    affinity = Affinity()
    affinity.bind("s", A, 100.0)

    assert affinity.bonds("s", 100.0 + SESSION_TTL_S) == Bonds(A)
    assert affinity.bonds("s", 100.1 + SESSION_TTL_S) == Bonds()
    affinity.bind("other", B, 100.1 + SESSION_TTL_S)
    assert len(affinity) == 1


def test_sessions_are_bounded_and_the_one_used_longest_ago_goes_first() -> None:
    affinity = Affinity(sessions_max=3)
    for i in range(3):
        affinity.bind(f"s-{i}", A, float(i))
    affinity.bind("s-0", B, 3.0)
    affinity.bind("s-3", A, 4.0)

    assert len(affinity) == 3
    assert [affinity.bonds(f"s-{i}", 5.0).session_at for i in range(4)] == [B, "", A, A]


def test_an_endpoint_that_left_the_pool_is_forgotten() -> None:
    affinity = Affinity()
    affinity.bind("s", A, 0.0)
    affinity.bind("t", B, 0.0)
    affinity.went_cold(A)
    affinity.went_cold(B)
    affinity.keep_only({B: 0})

    assert affinity.bonds("s", 1.0).session_at == ""
    assert affinity.bonds("t", 1.0) == Bonds(B, {B: 2})


def test_a_request_without_a_session_is_bound_nowhere() -> None:
    affinity = Affinity()
    affinity.bind("", A, 0.0)

    assert len(affinity) == 0


def test_a_decision_keeps_the_cold_orders_that_it_saw() -> None:
    affinity = Affinity()
    affinity.went_cold(A)
    seen = affinity.bonds("", 0.0).cold
    affinity.went_cold(A)

    assert seen == {A: 1}


COOKIE = """
class chats when request.cookie("chat") != "" { also  session by request.cookie("chat") }
class broken when request.path == "/broken" {
  session by request.headers["x-not-there"]
}
"""


def routed(program: Program, store: Store, number: int, path: str, **headers: str) -> Continue:
    """Return *request* as the body router sends it on."""
    sent = [(":method", "POST"), (":path", path)]
    sent += [(name.replace("_", "-"), value) for name, value in headers.items()]
    plain = structs.replace(request(number), headers=Headers(sent), route=None)
    site = Site(store, report=lambda _: None, session_key=KEY)
    router = build_router(program, site).open(ExchangeInfo("r-1", "default", Headers(), 0.0))
    action = router.on_request(plain, 0.0) if isinstance(router, Router) else None
    assert isinstance(action, Continue)
    return action


CHAT = "/v1/chat/completions"


def test_a_class_says_that_a_cookie_is_the_session_and_it_goes_before_the_headers() -> None:
    program = policy(more=COOKIE)
    store = ready(program)

    def went(number: int, **headers: str) -> str:
        route = routed(program, store, number, CHAT, **headers).route
        asked = structs.replace(request(number, "", **headers), route=route)
        return picked(opened(program, store), asked)

    first = went(1, cookie="theme=dark; chat=c-1", x_session_id="s-1")

    assert [went(i, cookie="chat=c-1", x_session_id=f"s-{i}") for i in range(2, 6)] == [first] * 4
    assert went(6, cookie="chat=c-2", x_session_id="s-1") != first
    assert went(7, x_session_id="c-1") == first  # no cookie: by the headers, as ever


def test_a_session_that_cannot_be_told_is_none_and_is_counted() -> None:
    program = policy(more=COOKIE.replace("request.path", "request.header('x')"))
    found = routed(program, ready(program), 1, CHAT, x="/broken", x_session_id="s-1")

    assert found.route is not None
    assert found.route.session == ""
    assert RuleError("broken.session", "missing") in found.records


TRUSTING = "trust { session from true }"


def answered(flt: PickFilter) -> dict[str, str]:
    action = flt.on_response_headers(ResponseHead(200, Headers()), 2.0)
    assert isinstance(action, Continue)
    return dict(action.set_headers)


def test_a_token_leads_back_to_the_endpoint_that_answered() -> None:
    program = policy(more=TRUSTING)
    store = ready(program)
    flt = opened(program, store)
    first = picked(flt, request(1))
    token = answered(flt)["x-session-token"]

    again = [picked(opened(program, store), request(i, x_session_token=token)) for i in range(2, 9)]

    assert set(again) == {first}
    assert A not in token
    assert Tokens(KEY).read("gemma", token) == first


def test_no_token_is_given_where_none_would_be_believed() -> None:
    program = policy()
    flt = opened(program, ready(program))
    picked(flt, request(1))

    assert answered(flt) == {}


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "€uro",
        urlsafe_b64encode(A.encode()).decode(),  # as the reference would take it
        urlsafe_b64encode(b"default/gemma-0").decode(),
        Tokens(b"other key").sign("gemma", A),
        Tokens(KEY).sign("other-pool", A),
        "B" + Tokens(KEY).sign("gemma", A)[1:],
        "A" * 600,
    ],
)
def test_a_forged_token_is_ignored_and_counted(token: str) -> None:
    program = policy(more=TRUSTING)
    store = ready(program)
    bound = picked(opened(program, store), request(1, x_session_id="s-1"))

    action = opened(program, store).on_request(
        request(2, x_session_id="s-1", x_session_token=token), 1.0
    )

    assert isinstance(action, Continue)
    assert dict(action.set_headers)[DESTINATION].startswith(bound)  # the id still counts
    assert RuleError("x-session-token", "forged") in action.records


def test_cold_prompts_take_turns() -> None:
    program = policy("no_hit_lru_scorer")
    store = ready(program)

    went = [
        picked(opened(program, store), request(i, f"{i} tells another story. " * 40))
        for i in range(6)
    ]

    assert sorted(went[:3]) == sorted(went[3:]) == [A, B, C]
    assert went[:3] == went[3:]


def pictured(number: int, *digests: int) -> Request:
    call = request(number).call
    assert isinstance(call, Call)
    shown = structs.replace(call, media=tuple(Media(0, digest) for digest in digests))
    return structs.replace(request(number), call=shown)


def test_a_prompt_goes_where_its_pictures_were_sent_and_to_who_has_most_of_them() -> None:
    program = policy("mm_embeddings_cache_scorer")
    store = ready(program)
    first = picked(opened(program, store), pictured(1, 11, 12))
    second = picked(opened(program, store), pictured(2, 21))

    assert second != first  # nobody has it: the one that is less busy
    assert picked(opened(program, store), pictured(3, 12, 12, 21, 11)) == first
    assert store.affinities["gemma"].media([11, 21, 21, 5]) == {first: 2 / 3, second: 1 / 3}


def test_who_was_moved_to_by_the_proxy_has_the_pictures_too() -> None:
    program = policy("mm_embeddings_cache_scorer")
    store = ready(program)
    flt = opened(program, store)
    first = picked(flt, pictured(1, 11))
    other = next(a for a in (A, B, C) if a != first)
    served = {"envoy.lb": {"x-gateway-destination-endpoint-served": other}}
    flt.on_response_headers(ResponseHead(200, Headers(), metadata=served), 2.0)

    assert store.affinities["gemma"].media([11]) == {first: 1.0, other: 1.0}


def test_what_an_endpoint_was_sent_is_bounded_and_forgotten_when_it_begins_anew() -> None:
    affinity = Affinity()
    affinity.sent(A, [1])
    for digest in range(2, MEDIA_MAX + 2):
        affinity.sent(A, [digest])
    affinity.sent(B, list(range(2, MEDIA_ASKED_MAX + 50)))

    assert affinity.media([1]) == {}
    assert affinity.media([2, MEDIA_MAX + 1]) == {A: 1.0, B: 0.5}
    assert affinity.media([MEDIA_ASKED_MAX + 2]) == {A: 1.0}
    affinity.restarted(A)
    affinity.keep_only({A: 0})
    assert affinity.media([2]) == {}


def test_a_server_that_was_started_again_has_no_pictures() -> None:
    program = policy("mm_embeddings_cache_scorer")
    store = ready(program)
    first = picked(opened(program, store), pictured(1, 11))
    store.failed("gemma", first, "connection refused", 3.0, refused=True)

    assert store.affinities["gemma"].media([11]) == {}


def test_what_no_rule_asks_for_is_not_remembered() -> None:
    program = policy("queue_scorer")
    store = ready(program)
    picked(opened(program, store), pictured(1, 11))

    assert store.affinities["gemma"].media([11]) == {}
