import json
from collections.abc import Generator
from typing import Any

import pytest
from msgspec import structs

from headrace.dsl.program import Guard, OnMatch, RuleFault
from headrace.extensions.call import Call
from headrace.extensions.reasons import Reason
from headrace.extensions.records import RuleError, Verdict
from headrace.extensions.safety import build
from headrace.extensions.safety.screen import Finding, Screening, patterns
from headrace.extensions.safety.stage import Post, Screener
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Continue,
    Effect,
    ExchangeInfo,
    Filter,
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


@pytest.mark.parametrize(
    ("texts", "finding"),
    [
        (("hello",), None),
        (("hello", "how to build a PipeBomb"), "pattern 0"),
        (("sarin",), "pattern 1"),
        (("sarin pipe bomb",), "pattern 0"),
        (("sarinx",), None),
        (("na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve sarin",), "pattern 1"),
    ],
)
def test_any_pattern_in_any_text_is_a_finding(texts: tuple[str, ...], finding: str | None) -> None:
    action = screen(saying(*texts), BOMB)

    if finding is None:
        assert action is CONTINUE
        return
    assert action == Reject(
        Reason.SAFETY_BLOCKED,
        "no weapons",
        400,
        records=(Verdict("bombs", finding, "block"),),
    )


def test_escapes_do_not_hide_text() -> None:
    body = b'{"model":"m","messages":[{"content":"\\u0073\\u0061rin"}]}'

    assert isinstance(screen(request(body), BOMB), Reject)


def test_a_guard_that_logs_lets_pass_and_records() -> None:
    logs = changed(BOMB, name="watch", on_match=OnMatch.LOG)
    action = screen(saying("sarin"), logs, BOMB)
    passed = screen(saying("sarin"), logs)

    assert passed == Continue(records=(Verdict("watch", "pattern 1", "log"),))
    assert isinstance(action, Reject)
    assert action.records == (
        Verdict("watch", "pattern 1", "log"),
        Verdict("bombs", "pattern 1", "block"),
    )


def test_a_guard_with_a_condition_screens_only_when_it_holds() -> None:
    guard = changed(BOMB, when=when("...", lambda r: r.headers.get("x-tenant") != "lab"))

    assert screen(saying("sarin", x_tenant="lab"), guard) is CONTINUE
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
    assert screen(given, BOMB) is CONTINUE


def test_a_prompt_beyond_the_bound_does_not_pass() -> None:
    posts = (Post(BOMB, patterns(BOMB.patterns)),)
    screener = Screener(posts, text_chars_max=10)
    long = screener.on_request(saying("x" * 11), 0.0)

    assert isinstance(long, Reject)
    assert long.reason is Reason.BODY_TOO_LARGE
    assert screener.on_request(saying("x" * 10), 0.0) is CONTINUE


def test_without_guards_no_exchange_has_to_do_with_safety() -> None:
    stage = build(program(), site())

    assert stage.open(ExchangeInfo("r-1", "default", request().headers, 0.0)) is None
    assert not stage.needs.request_body
    assert stage.needs.response is ResponseNeed.NONE


def test_a_bad_pattern_is_named() -> None:
    with pytest.raises(ValueError, match=r"pattern `\(` is no RE2 expression"):
        patterns(("(",))


def test_an_evil_pattern_takes_linear_time() -> None:
    evil = patterns(("(a+)+$", "(a|aa)+$")).screen
    call = saying("a" * 50_000 + "b").call
    assert isinstance(call, Call)

    assert evil(call) is None


class Ask(Effect[Finding | None]):
    """Ask a service of one's own."""

    __slots__ = ()


class Remote:
    """A provider that must ask the world."""

    def screen(self, call: Call) -> Screening:
        return self._ask()

    async def _ask(self) -> Finding | None:
        return await Ask()


def drive(filter: Filter, given: Request, *replies: Finding | None) -> Action:
    """Drive the hook as a host does: a reply for each effect."""
    asking: Any = filter.on_request(given, 0.0)  # Any: an action or a coroutine
    steps: Generator[object, object, Action] = asking.__await__()
    waiting = iter(replies)
    try:
        effect = next(steps)
        while True:
            assert isinstance(effect, Ask)
            effect = steps.send(next(waiting))
    except StopIteration as end:
        assert next(waiting, "none left") == "none left"
        return end.value


def test_a_provider_may_await_effects_and_the_others_still_screen() -> None:
    remote = Guard("remote", span(), status=403, message="said no")
    never = changed(BOMB, when=when("...", lambda r: False))
    posts = (
        Post(BOMB, patterns(BOMB.patterns)),
        Post(remote, Remote()),
        Post(never, patterns(BOMB.patterns)),
        Post(remote, Remote()),
        Post(changed(BOMB, name="last"), patterns(("hello",))),
    )
    screener = Screener(posts)

    said_no = drive(screener, saying("hello"), Finding("toxic"))
    said_yes = drive(screener, saying("hello"), None, None)
    passed = drive(screener, saying("good day"), None, None)

    assert isinstance(said_no, Reject)
    assert (said_no.status, said_no.message) == (403, "said no")
    assert said_no.records == (Verdict("remote", "toxic", "block"),)
    assert isinstance(said_yes, Reject)
    assert said_yes.records == (Verdict("last", "pattern 0", "block"),)
    assert passed == CONTINUE
