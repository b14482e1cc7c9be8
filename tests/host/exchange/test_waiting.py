"""A stage that waits for its turn: how long the exchange lets it, in every body mode."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import pytest

from headrace.extensions.body_router import build as build_router
from headrace.extensions.picker import build
from headrace.extensions.picker.flow.turn import Turn
from headrace.extensions.picker.flow.waited import Waited
from headrace.extensions.picker.flow.waiter import Turned
from headrace.extensions.registry import Site
from headrace.extensions.stage import Action, Continue, Effect, Request, Stage
from headrace.host.exchange.limits import Limits
from headrace.host.exchange.part import BodyMode, Modes
from headrace.host.exchange.reply import ExtendTimeout, ImmediateReply, Output, Perform
from headrace.host.testing import Case, Message, StageTester
from tests.extensions.picker.queueing import FULL, IDLE, House, policy
from tests.host.exchange.drive import Drive
from tests.host.exchange.stages import Script

CHAT = b'{"model":"chat","messages":[{"role":"user","content":"hello"}]}'
QUEUE = policy("overload when pool.queue > 5.0 { queue by request.priority for up to 3s }")


@dataclass(frozen=True, slots=True)
class Long(Effect[str]):
    """Take five seconds by nature."""

    @property
    def patience_s(self) -> float:
        return 5.0


async def wait_long(request: Request) -> Action:
    return Continue(set_headers={"x": await Long()})


def chain(house: House) -> tuple[Stage, ...]:
    site = Site(house.store, lambda outcome: None)
    return build_router(house.program, site), build(house.program, site)


def reasons(outputs: list[Output]) -> list[str]:
    replies = [dict(o.headers) for o in outputs if isinstance(o, ImmediateReply)]
    return [headers["x-headrace-reason"] for headers in replies]


def test_an_effect_that_takes_long_by_nature_has_its_time_beside_the_hooks() -> None:
    drive = Drive((Script("long", request=wait_long),))
    drive.head()
    drive.chunk(b"{}", end=True)

    assert drive.exchange.deadline() == drive.now_s + 5.5


def test_the_picker_waits_for_as_long_as_the_policy_says_and_no_longer() -> None:
    house = House(QUEUE)
    house.scrape(100.0, FULL)
    drive = Drive(chain(house))
    drive.head()
    (perform,) = drive.chunk(CHAT, end=True)
    assert isinstance(perform, Perform)
    assert isinstance(perform.effect, Turn)
    due_s = drive.exchange.deadline()
    assert due_s is not None
    assert due_s > drive.now_s + 3.0  # the queue itself tells it before
    house.flow.expire(103.0)
    drive.now_s = 103.0
    turned = perform.effect.waiter.turned

    assert reasons(drive.exchange.resume(perform.ticket, turned, 103.0)) == ["queue-timeout"]


@pytest.mark.parametrize(("most_s", "waited_s"), [(0.0, 0.18), (2.0, 1.8)])
def test_outside_full_duplex_it_answers_before_envoys_timer_does(
    most_s: float, waited_s: float
) -> None:
    house = House(QUEUE)
    house.scrape(100.0, FULL)
    limits = Limits(message_timeout_s=0.2, message_timeout_max_s=most_s)
    drive = Drive(chain(house), Modes(BodyMode.BUFFERED), limits)
    drive.head()
    outputs = drive.chunk(CHAT, end=True)
    assert any(isinstance(o, ExtendTimeout) for o in outputs) == (most_s > 0)
    assert drive.exchange.deadline() == pytest.approx(100.0 + waited_s)

    assert reasons(drive.at(waited_s)) == ["queue-timeout"]
    assert len(house.flow) == 0


def test_an_exchange_that_ends_leaves_the_queue() -> None:
    house = House(QUEUE)
    house.scrape(100.0, FULL)
    drive = Drive(chain(house))
    drive.head()
    drive.chunk(CHAT, end=True)
    assert len(house.flow) == 1
    drive.exchange.end("client-gone", 101.0)

    assert len(house.flow) == 0


def served(house: House) -> Callable[[Turn], Turned]:
    """Return what lets one go: a scrape that shows room, and then one that shows none."""
    times = count(1)

    def perform(turn: Turn) -> Turned:
        house.scrape(next(times), IDLE)
        turn.flow.pump(house.store.snapshot.pools["gemma"], 0.5)
        assert turn.waiter.turned is not None
        house.scrape(next(times), FULL)
        return turn.waiter.turned

    return perform


def test_a_turn_is_the_same_however_the_bytes_come() -> None:
    house = House(QUEUE)
    house.scrape(0.0, FULL)
    case = Case(Message.post("/v1/chat/completions", CHAT), performs={Turn: served(house)})

    seen = StageTester(chain(house)).everywhere(case, lambda s: (s.status, s.reason))
    assert (seen.status, seen.reason) == (200, "")
    assert len(house.flow) == house.flow.departed == 0


def test_a_hook_that_is_left_waiting_has_a_run_with_what_its_filter_says() -> None:
    house = House(QUEUE)
    house.scrape(100.0, FULL)
    drive = Drive(chain(house))
    drive.head()
    drive.chunk(CHAT, end=True)
    drive.exchange.end("client-gone", 101.5)
    outcome = drive.exchange.outcome
    assert outcome is not None
    (run,) = [run for run in outcome.runs if run.stage == "picker"]
    (record,) = run.records
    assert isinstance(record, Waited)

    assert (run.result, record.how, record.waited_s) == ("left", "gone", 1.5)
