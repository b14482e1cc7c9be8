"""Guards of prompts: whom they ask, about what, and what follows from each answer."""

from collections.abc import Mapping
from dataclasses import replace

import msgspec
import pytest

from headrace.dsl.guarding import OnMatch, OnTrouble, SafetyRule, Scope, VerdictRule, Window
from headrace.dsl.program import Rule, RuleFault
from headrace.extensions.reasons import Reason
from headrace.extensions.records import Guarded, RuleError, Verdict
from headrace.extensions.safety.contract import Hit, Http, HttpReply, Kind, Reach, Trouble
from headrace.extensions.safety.contract import Verdict as Says
from headrace.extensions.safety.desk import Desk
from headrace.extensions.stage import Action, Continue, Reject
from tests.extensions.body_router.policies import changed, request, span
from tests.extensions.safety.doubles import Remote, World, desk, flagged_by, found_by, remote, words
from tests.extensions.safety.streaming import Client, asking

PROMPT = frozenset(("prompt",))
TALK = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "answer"},
        {"role": "tool", "content": "result"},
        {"role": "user", "content": "second"},
    ],
}


def ask(at: Desk, *texts: str, world: World | None = None) -> tuple[Action, Client]:
    client = Client(at, world or World())
    return client.ask(asking(*texts)), client


def texts_of(body: bytes | None) -> list[str]:
    return [m["content"] for m in msgspec.json.decode(body or b"{}")["messages"]]


def failing(kind: Kind, retry_after_s: float | None = None) -> World:
    return World(reply=lambda http: Trouble(kind, "no", retry_after_s))


def proof(action: Action, name: str = "g") -> Guarded:
    return next(r for r in action.records if isinstance(r, Guarded) and r.guard == name)


def test_what_a_provider_objects_to_is_blocked_in_its_own_words() -> None:
    says = Says((Hit("toxic"),), code="unkind", message="be kinder")
    action, _ = ask(desk(remote(lambda asked: says, status=403, inspect=PROMPT)), "you fool")

    assert isinstance(action, Reject)
    assert (action.reason, action.status) == (Reason.SAFETY_BLOCKED, 403)
    assert (action.message, action.code) == ("be kinder", "unkind")
    assert Verdict("g", "toxic", "block") in action.records
    assert proof(action).state == "applied"
    assert proof(action).findings == ("toxic",)
    assert proof(action).delivered_bytes == 0


def test_what_passes_is_told_to_have_been_inspected() -> None:
    world = World(took_s=0.25)
    action, _ = ask(desk(remote(flagged_by("bad"), inspect=PROMPT)), "na\xefve", world=world)
    found = proof(action)

    assert isinstance(action, Continue)
    assert (found.state, found.reason, found.action) == ("applied", "", "")
    assert found.inspected_bytes == found.delivered_bytes == 6
    assert found.took_s == pytest.approx(0.25)
    assert len(found.text_hash) == 32


@pytest.mark.parametrize(
    ("kind", "field", "reason"),
    [
        (Kind.ERROR, "on_error", Reason.SAFETY_UNAVAILABLE),
        (Kind.UNREACHABLE, "on_error", Reason.SAFETY_UNAVAILABLE),
        (Kind.BUSY, "on_error", Reason.SAFETY_UNAVAILABLE),
        (Kind.QUOTA, "on_error", Reason.SAFETY_UNAVAILABLE),
        (Kind.TIMEOUT, "on_timeout", Reason.SAFETY_UNAVAILABLE),
        (Kind.UNREADABLE, "on_unreadable", Reason.SAFETY_BLOCKED),
    ],
)
@pytest.mark.parametrize("on", list(OnTrouble))
def test_without_a_verdict_the_policy_decides(
    kind: Kind, field: str, reason: Reason, on: OnTrouble
) -> None:
    judging = remote(flagged_by("bad"), inspect=PROMPT)
    at = desk(replace(judging, guard=changed(judging.guard, **{field: on})))
    action, _ = ask(at, "hello", world=failing(kind, 7.0))

    assert proof(action).reason == kind.value
    if on is OnTrouble.BLOCK:
        assert isinstance(action, Reject)
        assert action.reason is reason
        assert proof(action).state == "failed-closed"
    else:
        assert isinstance(action, Continue)
        assert proof(action).state == "failed-open"


@pytest.mark.parametrize("on", list(OnTrouble))
def test_a_partial_verdict_is_none_of_the_whole(on: OnTrouble) -> None:
    at = desk(remote(lambda asked: Says(partial="skipped"), inspect=PROMPT, on_partial=on))
    action, _ = ask(at, "hello")

    assert isinstance(action, Reject) == (on is OnTrouble.BLOCK)
    assert proof(action).reason == "partial"


def test_what_was_not_judged_is_not_forgotten_over_what_was_found() -> None:
    partly = Says((Hit("word", 0, 0, 3),), partial="the rest was skipped")
    judging = remote(
        lambda asked: partly, inspect=PROMPT, on_match=OnMatch.REDACT, reach=Reach(locates=True)
    )
    action, _ = ask(desk(judging), "bad and more")

    assert isinstance(action, Reject)
    assert proof(action).state == "failed-closed"


def test_a_guard_takes_no_longer_than_its_time_however_often_it_asks() -> None:
    world = World(took_s=0.2)
    slow = remote(flagged_by("bad"), inspect=PROMPT, timeout_s=0.3, reach=Reach(chars_max=10))
    quick, _ = ask(desk(slow), "x" * 100, world=world)
    late, client = ask(desk(slow), "x" * 100, world=World(took_s=0.31))

    assert isinstance(quick, Continue)
    assert all(call.timeout_s == pytest.approx(0.3) for call in world.calls)
    assert proof(late).reason == "timeout"
    assert client.world.now_s == pytest.approx(100.3)


def test_a_long_text_is_judged_in_windows_that_overlap() -> None:
    reach, window = Reach(chars_max=20, locates=True), Window(overlap=8)
    judging = remote(found_by("needle"), inspect=PROMPT, reach=reach, window=window)
    action, _ = ask(desk(judging), "x" * 17 + "needle" + "x" * 30)

    assert isinstance(action, Reject)
    assert isinstance(judging.provider, Remote)
    assert all(len(text.text) <= 20 for asked in judging.provider.asked for text in asked.texts)


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        (Scope.ALL, ["be kind", "first", "answer", "result", "second"]),
        (Scope.NEW_TURNS, ["result", "second"]),
        (Scope.LAST_TURN, ["second"]),
    ],
)
def test_a_guard_looks_at_as_much_as_its_scope_says(scope: Scope, seen: list[str]) -> None:
    judging = remote(flagged_by("bad"), inspect=PROMPT, scope=scope)
    Client(desk(judging)).ask(request(msgspec.json.encode(TALK)))

    assert isinstance(judging.provider, Remote)
    assert [text.text for text in judging.provider.asked[0].texts] == seen


@pytest.mark.parametrize("scope", list(Scope))
def test_of_a_list_of_prompts_all_are_new(scope: Scope) -> None:
    body = msgspec.json.encode({"model": "m", "prompt": ["one", "two"]})
    judging = remote(flagged_by("bad"), inspect=PROMPT, scope=scope)
    Client(desk(judging)).ask(request(body, path="/v1/completions"))

    assert isinstance(judging.provider, Remote)
    assert [text.text for text in judging.provider.asked[0].texts] == ["one", "two"]


def test_what_is_redacted_does_not_go_upstream_and_the_next_guard_does_not_see_it() -> None:
    judging = remote(flagged_by("sarin"), "second", inspect=PROMPT)
    action, client = ask(
        desk(words("first", "sarin", on_match=OnMatch.REDACT, inspect=PROMPT), judging),
        "make sarin, sarin now",
        "please",
    )

    assert isinstance(action, Continue)
    assert texts_of(client.upstream) == ["make [redacted], [redacted] now", "please"]
    assert isinstance(judging.provider, Remote)
    assert judging.provider.asked[0].texts[0].text == "make [redacted], [redacted] now"
    assert proof(action, "first").action == "redact"


def test_guards_in_parallel_see_the_same_and_all_that_they_find_is_taken_out() -> None:
    judging = remote(
        found_by("now"), "second", Reach(locates=True), inspect=PROMPT, on_match=OnMatch.REDACT
    )
    first = words("first", "sarin", on_match=OnMatch.REDACT, inspect=PROMPT)
    at = desk(first, judging, rule=SafetyRule(parallel=True))
    _, client = ask(at, "make sarin now")

    assert texts_of(client.upstream) == ["make [redacted] [redacted]"]
    assert isinstance(judging.provider, Remote)
    assert judging.provider.asked[0].texts[0].text == "make sarin now"


def test_guards_in_parallel_take_as_long_as_the_slowest() -> None:
    world = World(took_s=0.4)
    posts = [remote(flagged_by("bad"), f"g{n}", inspect=PROMPT) for n in range(3)]
    ask(desk(*posts, rule=SafetyRule(parallel=True)), "hello", world=world)

    assert world.now_s == pytest.approx(100.4)


def test_what_cannot_be_redacted_is_blocked() -> None:
    at = desk(remote(flagged_by("bad"), inspect=PROMPT, on_match=OnMatch.REDACT))
    action, _ = ask(at, "so bad", "hello")

    assert isinstance(action, Reject)
    assert action.message.endswith("the guard does not say what to take out")
    assert proof(action).action == "block"


def test_inspect_only_records_and_lets_pass() -> None:
    at = desk(
        words("g", "sarin", inspect=PROMPT),
        remote(lambda asked: Trouble(Kind.ERROR), "broken", inspect=PROMPT),
        rule=SafetyRule(inspect_only=True),
    )
    action, _ = ask(at, "sarin")

    assert isinstance(action, Continue)
    assert action.body is None
    assert proof(action).findings == ("word",)
    assert proof(action).action == "log"
    assert proof(action, "broken").state == "failed-open"


@pytest.mark.parametrize(("text", "blocked"), [("a", False), ("b", False), ("ab", True)])
def test_a_rule_over_verdicts_decides_instead_of_the_first_that_blocks(
    text: str, blocked: bool
) -> None:
    def both(found: Mapping[str, bool]) -> bool:
        return found["x"] and found["y"]

    rule = SafetyRule(block=VerdictRule(Rule("x and y", span()), both))
    at = desk(words("x", "a", inspect=PROMPT), words("y", "b", inspect=PROMPT), rule=rule)
    action, _ = ask(at, text)

    assert isinstance(action, Reject) == blocked


def test_a_rule_over_verdicts_that_fails_leaves_the_block_to_the_guards() -> None:
    rule = SafetyRule(block=VerdictRule(Rule("x", span()), lambda found: RuleFault("missing")))
    action, _ = ask(desk(words("x", "a", inspect=PROMPT), rule=rule), "a")

    assert isinstance(action, Reject)
    assert RuleError("safety block", "missing") in action.records


def test_a_provider_that_fails_is_left_alone_and_tried_again() -> None:
    world = failing(Kind.ERROR)
    at = desk(
        remote(
            flagged_by("bad"),
            inspect=PROMPT,
            on_error=OnTrouble.ALLOW,
            breaker_failures=2,
            breaker_s=10.0,
        )
    )
    reasons = [proof(ask(at, "hello", world=world)[0]).reason for _ in range(4)]
    world.now_s += 10.0
    world.reply = lambda http: HttpReply(200, {}, b"")
    after = [proof(ask(at, "hello", world=world)[0]).state for _ in range(2)]

    assert reasons == ["error", "error", "circuit-open", "circuit-open"]
    assert after == ["applied", "applied"]
    assert len(world.calls) == 4


def test_a_quota_is_respected_for_as_long_as_the_provider_asks() -> None:
    world = failing(Kind.QUOTA, 3.0)
    at = desk(remote(flagged_by("bad"), inspect=PROMPT, on_error=OnTrouble.ALLOW))
    ask(at, "hello", world=world)
    world.now_s += 2.9
    ask(at, "hello", world=world)
    world.now_s += 0.2
    ask(at, "hello", world=world)

    assert len(world.calls) == 2


def test_a_text_that_was_judged_a_moment_ago_is_not_asked_about_again() -> None:
    world = World()
    at = desk(remote(flagged_by("bad"), inspect=PROMPT, cache_s=60.0))
    ask(at, "hello", world=world)
    _, _ = ask(at, "hello", "and more", world=world)
    again, _ = ask(at, "hello", world=world)
    world.now_s += 61.0
    ask(at, "hello", world=world)
    judging = at.posts[0].provider

    assert isinstance(again, Continue)
    assert isinstance(judging, Remote)
    assert [[t.text for t in a.texts] for a in judging.asked] == [
        ["hello"],
        ["and more"],
        ["hello"],
    ]


def test_a_find_is_remembered_too() -> None:
    world = World()
    at = desk(remote(flagged_by("bad"), inspect=PROMPT, cache_s=60.0))
    actions = [ask(at, "bad", world=world)[0] for _ in range(2)]

    assert all(isinstance(action, Reject) for action in actions)
    assert len(world.calls) == 1


def test_a_trouble_is_not_remembered() -> None:
    world = failing(Kind.ERROR)
    at = desk(remote(flagged_by("bad"), inspect=PROMPT, cache_s=60.0))
    ask(at, "hello", world=world)
    ask(at, "hello", world=world)

    assert len(world.calls) == 2


def test_a_provider_is_asked_about_at_most_so_many_texts_at_once() -> None:
    judging = remote(flagged_by("bad"), inspect=PROMPT, reach=Reach(texts_max=2))
    world = World(took_s=0.1)
    ask(desk(judging), "a", "b", "c", "d", "e", world=world)

    assert isinstance(judging.provider, Remote)
    assert [len(asked.texts) for asked in judging.provider.asked] == [2, 2, 1]
    assert world.now_s == pytest.approx(100.1)


def test_no_call_waits_longer_than_its_guard() -> None:
    def hangs(http: Http) -> HttpReply | Trouble:
        raise AssertionError("it never answers")

    world = World(took_s=1e9, reply=hangs)
    action, _ = ask(desk(remote(flagged_by("bad"), inspect=PROMPT)), "hello", world=world)

    assert isinstance(action, Reject)
    assert world.now_s == pytest.approx(101.0)
