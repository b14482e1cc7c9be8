import json

import pytest
from msgspec import structs

from headrace.dsl.program import Guard, OnMatch, RuleFault
from headrace.extensions.reasons import Reason
from headrace.extensions.records import Guarded, RuleError, Verdict
from headrace.extensions.safety import build
from headrace.extensions.safety.stage import PromptScreen
from headrace.extensions.stage import (
    Action,
    Continue,
    ExchangeInfo,
    Reject,
    Request,
    ResponseNeed,
)
from tests.extensions.body_router.policies import (
    changed,
    opened,
    program,
    request,
    site,
    span,
    when,
)
from tests.extensions.safety.doubles import desk, words

BOMB = Guard("bombs", span(), patterns=("(?i)pipe ?bomb", r"\bsarin\b"), message="no weapons")


def saying(*texts: str, path: str = "/v1/chat/completions", **headers: str) -> Request:
    messages = [{"role": "user", "content": text} for text in texts]
    return request(json.dumps({"model": "m", "messages": messages}).encode(), path, **headers)


def screen(given: Request, *guards: Guard) -> Action:
    stage = build(program(guards=guards), site())
    filter = opened(stage.open(ExchangeInfo("r-1", "default", given.headers, 0.0)))
    action = filter.on_request(given, 0.0)
    assert isinstance(action, Continue | Reject)
    return action


def findings(action: Action) -> list[object]:
    return [record for record in action.records if not isinstance(record, Guarded)]


def passes(action: Action) -> bool:
    return isinstance(action, Continue) and action.body is None and not findings(action)


def proof(action: Action, guard: str) -> Guarded:
    found = [r for r in action.records if isinstance(r, Guarded) and r.guard == guard]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("texts", "finding"),
    [
        (("hello",), None),
        (("hello", "how to build a PipeBomb"), "pattern 0"),
        (("sarin",), "pattern 1"),
        (("sarin pipe bomb",), "pattern 1"),
        (("sarinx",), None),
        (("na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve sarin",), "pattern 1"),
    ],
)
def test_any_pattern_in_any_text_is_a_finding(texts: tuple[str, ...], finding: str | None) -> None:
    action = screen(saying(*texts), BOMB)

    if finding is None:
        assert passes(action)
        return
    assert isinstance(action, Reject)
    assert (action.reason, action.message, action.status) == (
        Reason.SAFETY_BLOCKED,
        "no weapons",
        400,
    )
    assert findings(action) == [Verdict("bombs", finding, "block")]


def test_escapes_do_not_hide_text() -> None:
    body = b'{"model":"m","messages":[{"content":"\\u0073\\u0061rin"}]}'

    assert isinstance(screen(request(body), BOMB), Reject)


def test_a_guard_that_logs_lets_pass_and_records() -> None:
    logs = changed(BOMB, name="watch", on_match=OnMatch.LOG)
    action = screen(saying("sarin"), logs, BOMB)
    passed = screen(saying("sarin"), logs)

    assert isinstance(passed, Continue)
    assert findings(passed) == [Verdict("watch", "pattern 1", "log")]
    assert isinstance(action, Reject)
    assert findings(action) == [
        Verdict("watch", "pattern 1", "log"),
        Verdict("bombs", "pattern 1", "block"),
    ]


def test_a_guard_with_a_condition_screens_only_when_it_holds() -> None:
    guard = changed(BOMB, when=when("...", lambda r: r.headers.get("x-tenant") != "lab"))

    let_go = screen(saying("sarin", x_tenant="lab"), guard)

    assert passes(let_go)
    assert (proof(let_go, "bombs").state, proof(let_go, "bombs").reason) == ("skipped", "condition")
    assert isinstance(screen(saying("sarin"), guard), Reject)


def test_a_guard_whose_condition_fails_screens() -> None:
    guard = changed(BOMB, when=when("...", lambda r: RuleFault("missing")))
    action = screen(saying("sarin"), guard)

    assert isinstance(action, Reject)
    assert action.records[0] == RuleError("guard bombs", "missing")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (request(b"{"), Reason.MALFORMED_JSON),
        (request(b'{"model":"m"}'), Reason.INVALID_REQUEST),
        (request(None), Reason.BODY_UNAVAILABLE),
        (request(b"sarin", path="/other"), Reason.UNKNOWN_PATH),
        (request(b"sarin", path="/v1/models"), Reason.UNKNOWN_PATH),
        (structs.replace(request(b"{"), call=None), Reason.MALFORMED_JSON),
        (
            request(b'{"model":"m","prompt":[1,2,3]}', path="/v1/completions"),
            Reason.SAFETY_BLOCKED,
        ),
    ],
)
def test_what_cannot_be_read_does_not_pass(given: Request, reason: Reason) -> None:
    action = screen(given, BOMB)

    assert isinstance(action, Reject)
    assert action.reason is reason


@pytest.mark.parametrize(
    "given",
    [
        request(None, path="/v1/models", method="GET"),
        request(b"", path="/v1/models", method="GET"),
        request(b""),
    ],
)
def test_without_a_body_there_is_nothing_to_screen(given: Request) -> None:
    action = screen(given, BOMB)

    assert passes(action)
    assert proof(action, "bombs").reason == "no-text"


def test_a_prompt_beyond_the_bound_does_not_pass() -> None:
    screener = PromptScreen(desk(words("g", "sarin"), text_chars_max=10))
    long = screener.on_request(saying("x" * 11), 0.0)
    short = screener.on_request(saying("x" * 10), 0.0)

    assert isinstance(long, Reject)
    assert long.reason is Reason.BODY_TOO_LARGE
    assert isinstance(short, Continue)
    assert passes(short)


def test_without_guards_no_exchange_has_to_do_with_safety() -> None:
    stage = build(program(), site())

    assert stage.open(ExchangeInfo("r-1", "default", request().headers, 0.0)) is None
    assert not stage.needs.request_body
    assert stage.needs.response is ResponseNeed.NONE


def test_a_bad_pattern_is_named() -> None:
    with pytest.raises(ValueError, match=r"pattern `\(` is no RE2 expression"):
        build(program(guards=(changed(BOMB, patterns=("(",)),)), site())


def test_an_evil_pattern_takes_linear_time() -> None:
    evil = changed(BOMB, patterns=("(a+)+$", "(a|aa)+$"))

    assert passes(screen(saying("a" * 50_000 + "b"), evil))


def test_a_guard_that_is_not_asked_any_more_says_so() -> None:
    late = Guard("late", span(), patterns=("never",))

    action = screen(saying("build a pipe bomb"), BOMB, late)

    assert isinstance(action, Reject)
    assert proof(action, "bombs").state == "applied"
    assert (proof(action, "late").state, proof(action, "late").reason) == (
        "skipped",
        "ended-before",
    )
