"""Guards of answers, whole and streamed: blocks, changes, troubles, and what is told of them."""

import json
from collections.abc import Callable
from random import Random

import msgspec
import pytest

from headrace.dsl.guarding import OnMatch, OnTrouble, SafetyRule, Window
from headrace.extensions.headers import EMPTY
from headrace.extensions.reasons import Reason
from headrace.extensions.safety.contract import Hit, Http, HttpReply, Kind, Reach, Trouble, Verdict
from headrace.extensions.safety.desk import Desk
from headrace.extensions.stage import ResponseEvent, ResponseHead
from tests.extensions.body_router.policies import changed, when
from tests.extensions.safety.doubles import (
    Remote,
    World,
    desk,
    flagged_by,
    found_by,
    guard,
    remote,
    words,
)
from tests.extensions.safety.streaming import (
    Client,
    asking,
    delta,
    done,
    event,
    finish,
    raw_event,
    said,
    streamed,
    waiting,
)

ANSWERS = frozenset(("response",))
PROMPTS = frozenset(("prompt",))
STORY = ["Once upon a time ", "there was ", "a river that ", "ran to the sea. ", "The end."] * 8


def whole(*texts: str) -> ResponseEvent:
    """Return an answer that is no stream."""
    choices = [{"index": i, "message": {"content": text}} for i, text in enumerate(texts)]
    body = msgspec.json.encode({"choices": choices})
    return ResponseEvent(body, body, False)


def answered(at: Desk, answer: ResponseEvent, prompt: str = "hello", status: int = 200) -> Client:
    client = Client(at)
    client.ask(asking(prompt, stream=False))
    client.answered([answer], ResponseHead(status, EMPTY))
    return client


def contents(raw: bytes) -> list[str]:
    return [choice["message"]["content"] for choice in json.loads(raw)["choices"]]


def test_a_whole_answer_that_is_clean_keeps_its_bytes() -> None:
    answer = whole("all is well")
    client = answered(desk(words("g", "sarin"), remote(flagged_by("bad"), "r")), answer)

    assert client.all == answer.raw
    assert client.proofs()["g"].inspected_bytes == client.proofs()["r"].delivered_bytes == 11


def test_a_whole_answer_is_blocked_before_a_byte_of_it_is_delivered() -> None:
    client = answered(desk(words("g", "sarin", inspect=ANSWERS)), whole("fine", "sarin"))

    assert client.rejected is not None
    assert client.rejected.reason is Reason.SAFETY_BLOCKED
    assert client.all == b""
    assert client.proofs()["g"].delivered_bytes == 0


def test_of_a_whole_answer_all_guards_judge_what_the_model_wrote() -> None:
    at = desk(
        words("g", "sarin", on_match=OnMatch.REDACT),
        remote(found_by("in the"), "r", Reach(locates=True), on_match=OnMatch.REDACT),
    )
    client = answered(at, whole("sarin, a gas", "in the air"))

    assert contents(client.all) == ["[redacted], a gas", "[redacted] air"]


def test_finds_that_overlap_are_taken_out_as_one() -> None:
    at = desk(
        words("g", "sarin", on_match=OnMatch.REDACT),
        remote(found_by("in the"), "r", Reach(locates=True), on_match=OnMatch.REDACT),
    )

    assert contents(answered(at, whole("the sarin the gas")).all) == ["the [redacted] gas"]


def test_what_a_provider_writes_instead_is_delivered() -> None:
    def rewrites(asked: object) -> Verdict:
        return Verdict((Hit("sdp"),), {0: "call [PHONE] now"})

    at = desk(remote(rewrites, reach=Reach(locates=True), on_match=OnMatch.REDACT, inspect=ANSWERS))

    assert contents(answered(at, whole("call 555-1234 now")).all) == ["call [PHONE] now"]


def test_an_answer_that_cannot_be_read_is_for_the_policy_to_decide() -> None:
    strange = ResponseEvent(b"<html>", b"<html>", False)
    closed = answered(desk(words("g", "sarin", inspect=ANSWERS)), strange)
    lenient = words("g", "sarin", inspect=ANSWERS, on_unreadable=OnTrouble.ALLOW)
    opened = answered(desk(lenient), strange)

    assert closed.rejected is not None
    assert closed.proofs()["g"].state == "failed-closed"
    assert opened.all == b"<html>"
    assert opened.proofs()["g"].state == "failed-open"
    assert opened.proofs()["g"].reason == "unreadable"


@pytest.mark.parametrize(
    "body", [b'{"error":{"message":"you said \\u0073arin"}}', b"you said sarin", b'["sarin"]']
)
def test_of_an_error_of_the_server_every_string_is_judged(body: bytes) -> None:
    client = answered(
        desk(words("g", "sarin", inspect=ANSWERS)), ResponseEvent(body, body, False), status=500
    )

    assert client.rejected is not None


def test_an_error_of_the_server_that_is_clean_passes() -> None:
    body = b'{"error":{"message":"no such model"}}'
    client = answered(
        desk(words("g", "sarin", inspect=ANSWERS)), ResponseEvent(body, body, False), status=404
    )

    assert client.all == body


def test_a_block_in_a_stream_drops_all_that_waits_and_says_what_went_on() -> None:
    events = [delta("nothing to see here, "), delta("and then sa"), delta("rin comes, "), done()]
    client = streamed(desk(words("g", "sarin", inspect=ANSWERS)), events)
    proof = client.proofs()["g"]

    assert client.rejected is not None
    assert said(client.all) == "nothing to see here, "
    assert (proof.state, proof.action) == ("applied", "block")
    assert proof.delivered_bytes == 21
    assert proof.inspected_bytes > proof.delivered_bytes


def test_what_has_no_text_passes_in_its_place() -> None:
    events = [
        raw_event(b": ping\r\n\r\n"),
        event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]}),
        delta("hello you"),
        raw_event(b"event: ping\ndata: {}\n\n".replace(b"data: {}", b"id: 3")),
        finish(),
        event({"choices": [], "usage": {"completion_tokens": 2}}),
        done(),
    ]
    client = waiting(desk(words("g", "sarin")))
    first = [client.next(one) for one in events[:2]]

    assert first == [events[0].raw, events[1].raw]

    client.answered(events[2:])

    assert client.all == b"".join(one.raw for one in events)


def test_an_event_that_is_changed_keeps_its_other_lines() -> None:
    data = b'{"choices":[{"index":0,"delta":{"content":"so bad"}}]}'
    raw = b"event: chunk\r\nid: 7\r\ndata: " + data + b"\r\n\r\n"
    client = streamed(
        desk(words("g", "bad", on_match=OnMatch.REDACT)), [ResponseEvent(raw, data, True), done()]
    )

    assert client.all.startswith(b"event: chunk\r\nid: 7\r\ndata: {")
    assert b'"so [redacted]"' in client.all
    assert client.all.endswith(b"\r\n\r\ndata: [DONE]\n\n")


@pytest.mark.parametrize("on", list(OnTrouble))
def test_events_that_cannot_be_read_are_for_the_policy_to_decide(on: OnTrouble) -> None:
    strange = raw_event(b"data: {\n\n", b"{")
    events = [delta("hello"), strange, delta("you"), done()]
    client = streamed(desk(words("g", "sarin", inspect=ANSWERS, on_unreadable=on)), events)

    assert (client.rejected is not None) == (on is OnTrouble.BLOCK)
    assert client.proofs()["g"].reason == "unreadable"
    if on is not OnTrouble.BLOCK:
        assert client.all == b"".join(one.raw for one in events)


def test_more_than_may_be_held_ends_the_stream() -> None:
    at = desk(words("g", "sarin"), held_bytes_max=4_000)
    client = waiting(at)
    client.next(delta("x", 0))
    for _ in range(200):
        if client.rejected is None:
            client.next(delta("y" * 40, 1))

    assert client.rejected is not None
    assert client.rejected.reason is Reason.RESPONSE_TOO_LARGE


def test_a_window_of_a_stream_is_judged_with_what_was_said_before() -> None:
    judging = remote(flagged_by("bad"), window=Window("characters", 20, 8), inspect=ANSWERS)
    client = waiting(desk(judging))
    first = client.next(delta("twelve chars"))
    second = client.next(delta(", and twelve"))
    third = client.next(delta(" more of it"))
    fourth = client.next(delta("."))

    assert first == third == b""
    assert said(fourth) == " more of it."
    assert said(second) == "twelve chars, and twelve"
    assert isinstance(judging.provider, Remote)
    assert [asked.texts[0].text for asked in judging.provider.asked] == [
        "twelve chars, and twelve",
        "twelve chars, and twelve more of it."[8:],
    ]


def test_the_first_text_waits_for_one_window_and_one_call() -> None:
    world = World(took_s=0.1)
    judging = remote(flagged_by("bad"), window=Window("characters", 50, 10), inspect=ANSWERS)
    client = waiting(desk(judging), world)
    seen = 0
    while not client.all:
        client.next(delta("word "))
        seen += 5

    assert seen == 50
    assert world.now_s == pytest.approx(100.1)


def test_a_mask_goes_upstream_and_the_client_gets_the_original_back() -> None:
    client = Client(desk(words("g", r"\d{3}", on_match=OnMatch.MASK, inspect=PROMPTS)))
    client.ask(asking("call 555 or 777, then 555"))
    upstream = client.upstream or b""
    client.answered(
        [delta("I call <WO"), delta("RD_1>, not <WORD_2"), delta("> nor <WORD_3"), finish(), done()]
    )

    assert b"555" not in upstream
    assert upstream.count(b"<") == 3
    texts = said(client.all)
    assert sorted(texts.split(" nor ")[0].replace("I call ", "").split(", not ")) == ["555", "777"]
    assert texts.endswith(" nor <WORD_3")


def test_an_original_that_goes_into_arguments_is_escaped() -> None:
    client = Client(desk(words("g", r'"\w+"', on_match=OnMatch.MASK, inspect=PROMPTS)))
    client.ask(asking('my name is "Joe"'))
    pieces = ['{"who": "<WORD', '_1>"}']
    client.answered([*(delta(piece, field="arguments") for piece in pieces), done()])

    assert json.loads(said(client.all, field="arguments")) == {"who": '"Joe"'}


def test_a_whole_answer_gets_originals_back_too() -> None:
    at = desk(words("g", r"\d{3}", on_match=OnMatch.MASK, inspect=PROMPTS))

    assert contents(answered(at, whole("it is <WORD_1>"), "call 555").all) == ["it is 555"]


def test_nothing_is_masked_where_everything_is_inspected_only() -> None:
    at = desk(
        words("g", r"\d{3}", on_match=OnMatch.MASK, inspect=PROMPTS),
        rule=SafetyRule(inspect_only=True),
    )
    client = Client(at)
    client.ask(asking("call 555"))

    assert b"555" in (client.upstream or b"")


def dying(after: int) -> Callable[[Http], HttpReply | Trouble]:
    """Return a server that answers *after* calls no more."""
    left = after

    def reply(http: Http) -> HttpReply | Trouble:
        nonlocal left
        left -= 1
        return HttpReply(200, {}, b"") if left >= 0 else Trouble(Kind.UNREACHABLE)

    return reply


def test_with_the_provider_killed_in_mid_stream_1_000_trials_end_as_the_policy_says() -> None:
    events = [*map(delta, STORY), finish(), done()]
    sent = b"".join(one.raw for one in events)
    kinds = {"closed": 0, "open": 0, "late": 0}
    for seed in range(1_000):
        chance = Random(seed)
        on = chance.choice([OnTrouble.BLOCK, OnTrouble.ALLOW])
        world = World(reply=dying(chance.randrange(8)), took_s=chance.choice([0.0, 0.05, 2.0]))
        started_s = world.now_s
        at = desk(
            remote(
                flagged_by("bad"),
                inspect=ANSWERS,
                on_error=on,
                on_timeout=on,
                timeout_s=0.3,
                window=Window("characters", chance.choice([40, 100, 300]), 20),
            )
        )
        client = streamed(at, events, world)
        proof = client.proofs()["g"]
        calls = len(world.calls)

        assert world.now_s - started_s <= 0.3 * calls + 1e-6
        if client.rejected is not None:
            kinds["closed"] += 1
            assert on is OnTrouble.BLOCK
            assert client.rejected.reason is Reason.SAFETY_UNAVAILABLE
            assert sent.startswith(client.all)
            assert proof.delivered_bytes <= proof.inspected_bytes
            assert proof.state == "failed-closed"
        else:
            kinds["open" if proof.state == "failed-open" else "late"] += 1
            assert client.all == sent

    assert min(kinds.values()) > 50, kinds


def test_a_guard_that_only_masks_prompts_reports_nothing_of_answers() -> None:
    client = streamed(desk(words("g", r"\d{3}", inspect=PROMPTS, on_match=OnMatch.MASK)), [done()])

    assert client.proofs() == {}


def test_a_guard_whose_condition_does_not_hold_does_not_touch_the_answer() -> None:
    post = words("g", "sarin")
    other = changed(post, guard=guard("g", when=when("never", lambda request: False)))
    events = [delta("sarin"), done()]
    client = streamed(desk(other), events)

    assert client.all == b"".join(one.raw for one in events)
    assert client.proofs()["g"].reason == "condition"
