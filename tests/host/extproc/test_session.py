"""The session behind every transport, without any transport."""

import asyncio
import logging

import pytest

from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Reject, Run
from headrace.host.exchange.reply import Abort, Cancel, HeadersReply, Output, Perform, Watch
from headrace.host.extproc.codec import GO_ON
from headrace.host.extproc.edge import Performer
from headrace.host.extproc.opening import NotYet, Opening
from headrace.host.extproc.session import Door, Session
from tests.host.extproc.wire import (
    REQUEST,
    Ask,
    Play,
    Sleeper,
    Tally,
    body,
    head,
    on_head,
    run,
    until,
)

HEAD, BODY = head().SerializeToString(), body(b"abc").SerializeToString()


def session(play: Play, tally: Tally | None = None, performer: Performer | None = None) -> Session:
    """Return a session of *play* that wakes nobody."""
    door = Door(play.open, performer or Performer(), tally or Tally())
    return Session(door, "default", "", lambda: None)


def test_an_abort_is_the_last_word() -> None:
    async def test() -> None:
        play = Play(on_part=on_head(HeadersReply(REQUEST), Abort("UNAVAILABLE", "x")))
        one = session(play)
        one.receive(HEAD)
        one.receive(BODY)
        one.half_close()
        one.expel("y")
        one.leave()

        assert len(play.parts) == 1
        assert one.abort == Abort("UNAVAILABLE", "x")
        assert play.ends == ["processor-abort"]

    run(test())


def test_who_cannot_decide_yet_lets_the_peer_ask_another_host() -> None:
    def open_(opening: Opening, now_s: float) -> Play:
        raise NotYet("the pools are not known yet")

    async def test() -> None:
        tally = Tally()
        one = Session(Door(open_, Performer(), tally), "default", "", lambda: None)
        one.receive(HEAD)
        one.receive(BODY)
        one.half_close()

        assert one.abort == Abort("UNAVAILABLE", "the pools are not known yet")
        assert tally.counted["closed processor-abort"] == 1
        assert not [word for word in tally.counted if word.startswith("bug")]

    run(test())


def test_what_follows_an_abort_in_one_answer_is_dropped() -> None:
    async def test() -> None:
        play = Play(on_part=on_head(Abort("INTERNAL", "x"), HeadersReply(REQUEST)))
        one = session(play)
        one.receive(HEAD)

        assert list(one.frames) == []

    run(test())


def test_a_coroutine_that_is_cancelled_before_it_began_is_closed() -> None:
    async def test() -> None:
        began: list[bool] = []

        async def work() -> None:
            began.append(True)

        outputs: list[Output] = [Perform(1, "s", Run(work())), Cancel(1)]
        play = Play(on_part=lambda part: outputs)
        one = session(play)
        one.receive(HEAD)  # an unawaited coroutine would be a warning, and so an error
        await asyncio.sleep(0)
        one.leave()

        assert began == []
        assert play.refusals == []

    run(test())


def test_an_effect_that_fails_after_its_end_is_nobodys_business() -> None:
    async def test() -> None:
        async def stubborn() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise ValueError("too late") from None

        play = Play(on_part=lambda part: [Perform(1, "s", Run(stubborn()))])
        one = session(play)
        one.receive(HEAD)
        await asyncio.sleep(0)
        one.leave()
        await asyncio.sleep(0.01)

        assert play.refusals == []
        assert play.ends == ["client-gone"]

    run(test())


def test_a_bug_at_the_end_is_counted_and_effects_stop_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        sleeper, tally = Sleeper(), Tally()
        play = Play(on_part=lambda part: [Perform(1, "s", Ask())])
        play.ends = None  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
        one = session(play, tally, Performer({Ask: sleeper.sleep}))
        one.receive(HEAD)
        await until(lambda: sleeper.asleep == 1)
        one.leave()
        await until(lambda: sleeper.asleep == 0)

        assert tally.counted["bug end"] == 1
        assert tally.active == 0

    with caplog.at_level(logging.CRITICAL, "headrace"):
        run(test())


END = Reject(Reason.EVICTED, "ended")


async def _ending() -> Reject:
    return END


async def _never() -> Reject:
    await asyncio.sleep(60)
    return END


async def _failing() -> Reject:
    raise ValueError("x")


def test_what_is_watched_ends_the_stream_with_what_it_comes_to() -> None:
    async def test() -> None:
        told: list[Reject] = []

        def ended(reject: Reject) -> list[Output]:
            told.append(reject)
            return [Abort("UNAVAILABLE", "ended")]

        play = Play(on_part=lambda part: [Watch(1, Run(_ending()))], on_interrupt=ended)
        one = session(play)
        one.receive(HEAD)
        await until(lambda: one.abort is not None)

        assert told == [END]
        assert play.ends == ["processor-abort"]

    run(test())


def test_a_stream_that_is_over_does_not_wait_for_what_is_watched() -> None:
    async def test() -> None:
        before = len(asyncio.all_tasks())
        play = Play(on_part=lambda part: [Watch(1, Run(_never()))])
        one = session(play)
        one.receive(HEAD)
        one.half_close()
        await asyncio.sleep(0.01)

        assert (play.ends, one.abort) == (["complete"], None)
        assert len(asyncio.all_tasks()) == before

    run(test())


def test_what_is_watched_is_cancelled_when_nobody_wants_it() -> None:
    async def test() -> None:
        before = len(asyncio.all_tasks())
        answers = iter([[Watch(1, Run(_never()))], [Cancel(1)]])
        play = Play(on_part=lambda part: [*next(answers)])
        one = session(play)
        one.receive(HEAD)
        one.receive(BODY)
        await asyncio.sleep(0.01)

        assert len(asyncio.all_tasks()) == before
        assert play.ends == []

    run(test())


def test_a_watch_that_fails_is_a_bug_and_costs_one_exchange(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        tally = Tally()
        one = session(Play(on_part=lambda part: [Watch(1, Run(_failing()))]), tally)
        one.receive(HEAD)
        await until(lambda: one.abort is not None)

        assert tally.counted["bug watch"] == 1
        assert one.abort == Abort("INTERNAL", "a bug of the host")

    with caplog.at_level(logging.CRITICAL, "headrace"):
        run(test())


def test_only_chains_that_want_context_pay_for_it() -> None:
    async def test() -> None:
        asked: list[str] = []

        def wants(chain: str) -> bool:
            asked.append(chain)
            return chain == "picker"

        request = head()
        request.attributes["envoy.filters.http.ext_proc"].fields["a"].string_value = "b"
        contexts: list[object] = []
        for chain in ("picker", "safety"):
            play = Play()
            one = Session(Door(play.open, wants_context=wants), chain, "", lambda: None)
            one.receive(request.SerializeToString())
            contexts.append(play.parts[0].context)
            one.leave()

        assert asked == ["picker", "safety"]
        assert contexts[0] is not None
        assert contexts[1] is None

    run(test())


def test_a_plain_headers_reply_is_the_ready_made_one() -> None:
    async def test() -> None:
        one = session(Play())
        one.receive(HEAD)

        assert one.frames[0] is GO_ON[REQUEST]
        one.half_close()
        assert one.abort is None

    run(test())
