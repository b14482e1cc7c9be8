"""A policy on trial decides beside the one that serves, and nothing is felt of it."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.extensions.headers import Headers
from headrace.extensions.picker.snapshot import Endpoint, ServerFacts
from headrace.extensions.picker.store import Store
from headrace.extensions.stage import (
    Action,
    Continue,
    Effect,
    ExchangeInfo,
    Filter,
    Needs,
    OnFailure,
    Request,
)
from headrace.host.exchange.limits import Limits
from headrace.host.exchange.part import Direction, Head, Modes
from headrace.host.exchange.reply import HeadersReply, Output
from headrace.host.extproc.opening import Opening
from headrace.host.generation import Generation, Tenants, make_plan
from headrace.host.serve.soak import SHADOWS_MAX, Shadow, SoakReport
from headrace.host.serve.trial import facts_of
from tests.host.scrape.pages import Engine, vllm_page
from tests.host.scrape.servers import Server, servers
from tests.host.serve.house import (
    CHAT,
    House,
    begin,
    chat,
    connected,
    finish,
    house,
    policy,
    run,
    swap_in,
    until,
)

SOAK_S = 0.6
LONG = {**CHAT, "messages": [{"role": "user", "content": "x" * 5000}]}


async def soaking(running: House) -> None:
    """Wait until a trial has begun."""
    await until(lambda: running.succession.current.shadow is not None)


def busy(server: Server) -> None:
    """Give *server* a long queue."""
    server.page = vllm_page([Engine(waiting=50)])


def test_the_same_rules_differ_in_nothing_and_leave_no_mark(tmp_path: Path) -> None:
    async def main() -> None:
        async with servers(4) as four:
            path = tmp_path / "p.sched"
            text = policy(1, [one.address for one in four]).replace(
                "double(endpoint.queue))", "double(endpoint.queue + endpoint.in_flight))"
            )
            text = text.replace(
                "profile default { score 1 * version_1",
                "scorer prefix = endpoint.prefix_match\n"
                "profile default { score 1 * version_1 + 2 * prefix",
            )
            path.write_text(text)
            async with (
                house([path], soak_s=SOAK_S) as running,
                connected(running) as opened,
            ):
                await asyncio.gather(*(chat(running, LONG) for _ in range(10)))
                swap_in(path, text + "\n# a comment is a change\n")
                await soaking(running)
                index = running.store.prefixes["gemma"]
                many = [opened() for _ in range(40)]
                await asyncio.gather(*(begin(stream) for stream in many))
                await asyncio.gather(*(finish(stream, LONG) for stream in many))
                await until(lambda: len(running.outcomes) == 50)
                in_flight = [e.in_flight for e in running.store.snapshot.pools["gemma"].endpoints]
                report = running.succession.soak
                await running.reach(2)

                assert report is not None
                assert dict(report.verdicts) == {"same": 40}
                assert in_flight == [0, 0, 0, 0]
                assert running.store.prefixes["gemma"] is index
                assert {o.generation for o in running.outcomes} == {1}
                assert running.sample("headrace_policy_soak_decisions_total", kind="same") == 40

    run(main)


def test_what_differs_is_counted_by_kind_and_shown(tmp_path: Path) -> None:
    async def main() -> None:
        async with servers(2) as (free, full):
            busy(full)
            path = tmp_path / "p.sched"
            text = policy(1, [free.address, full.address])
            path.write_text(text)
            async with house([path], soak_s=SOAK_S) as running:
                swap_in(path, text.replace("1.0 / (1.0 + ", "1.0 - 1.0 / (1.0 + "))
                await soaking(running)
                await chat(running)
                await until(lambda: running.outcomes)
                page, report = running.desk.page(), running.succession.soak
                soak = page["soak"]
                await running.reach(2)

                assert isinstance(soak, dict)
                assert soak["running"] is True
                assert soak["decisions"] == soak["differing"] == 1
                assert soak["kinds"] == {"endpoint": 1}
                assert report is not None
                (example,) = report.examples
                assert free.address in example.live
                assert full.address in example.new
                assert example.live in json.dumps(page)

    run(main)


@pytest.mark.parametrize(("queues", "kind"), [((0, 0, 50), "same"), ((50, 50, 0), "endpoint")])
def test_a_new_endpoint_is_scraped_for_the_trial_and_is_no_choice_of_the_live_policy(
    tmp_path: Path, queues: tuple[int, ...], kind: str
) -> None:
    async def main() -> None:
        async with servers(3) as three:
            for server, queue in zip(three, queues, strict=True):
                server.page = vllm_page([Engine(waiting=queue)])
            addresses = [one.address for one in three]
            path = tmp_path / "p.sched"
            path.write_text(policy(1, addresses[:2]))
            async with house([path], soak_s=SOAK_S) as running:
                swap_in(path, policy(1, addresses))
                await soaking(running)
                await asyncio.gather(*(chat(running) for _ in range(4)))
                await until(lambda: len(running.outcomes) == 4)
                report = running.succession.soak
                before = running.store.snapshot.pools["gemma"].size
                await running.reach(2)
                await chat(running)

                assert report is not None
                assert dict(report.verdicts) == {kind: 4}
                assert (before, running.store.snapshot.pools["gemma"].size) == (2, 3)
                if kind == "endpoint":
                    assert all(three[2].address in one.new for one in report.examples)

    run(main)


def test_what_made_an_endpoint_can_be_told_again() -> None:
    text = policy(1, ["10.0.0.1:80"])
    first, second = (Store.for_program(compile_policy([Source("p", text)])) for _ in range(2))
    facts = ServerFacts(3, 4, 0.5, 0.25, ("a", "b"), 8, 16, 1000, 1.7e9, {"vllm:x": 1.5})
    first.scraped("gemma", "10.0.0.1:80", facts, 10.0)
    (known,) = first.snapshot.pools["gemma"].endpoints
    second.scraped("gemma", "10.0.0.1:80", facts_of(known), known.scraped_at_s)

    assert second.snapshot.pools["gemma"].endpoints == (known,)


def test_a_trial_reads_the_metrics_that_its_own_rules_ask_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with servers(2) as (free, full):
            busy(full)
            addresses = [free.address, full.address]
            path = tmp_path / "p.sched"
            path.write_text(policy(1, addresses))
            asks = 'endpoint.metric("vllm:num_requests_waiting").orValue(99.0)'
            async with house([path], soak_s=SOAK_S) as running:
                text = policy(2, addresses).replace("double(endpoint.queue)", asks)
                swap_in(path, text.replace("upstream-2", "upstream-1"))
                await soaking(running)
                await asyncio.gather(*(chat(running) for _ in range(4)))
                await until(lambda: len(running.outcomes) == 4)
                report = running.succession.soak
                await running.reach(2)
                known = [e.metrics for e in running.store.snapshot.pools["gemma"].endpoints]
                swap_in(path, policy(3, addresses))
                await running.reach(3)
                await until(lambda: not any(e.metrics for e in endpoints_of(running)))

                assert report is not None
                assert dict(report.verdicts) == {"same": 4}
                assert [m["vllm:num_requests_waiting"] for m in known] == [0.0, 50.0]

    run(main)


def endpoints_of(running: House) -> tuple[Endpoint, ...]:
    """Return what is known of the endpoints now."""
    return running.store.snapshot.pools["gemma"].endpoints


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (("upstream-1", "upstream-x"), "model"),
        (("model chatbot", "model other"), "reject"),
        (
            (
                "chain default",
                "overload when pool.size > 0 { shed any when true with 429 } chain default",
            ),
            "shed",
        ),
    ],
)
def test_every_kind_of_difference_has_its_name(
    tmp_path: Path, change: tuple[str, str], kind: str
) -> None:
    async def main() -> None:
        async with servers(1) as (one,):
            path = tmp_path / "p.sched"
            text = policy(1, [one.address])
            path.write_text(text)
            async with house([path], soak_s=SOAK_S) as running:
                swap_in(path, text.replace(*change))
                await soaking(running)
                served = await chat(running)
                await until(lambda: running.outcomes)
                report = running.succession.soak

                assert served == "upstream-1"
                assert report is not None
                assert dict(report.verdicts) == {kind: 1}

    run(main)


def test_a_newer_file_ends_a_trial_and_so_does_going_back(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(policy(1, ["127.0.0.1:9"]))
        async with house([path], soak_s=30.0) as running:
            swap_in(path, policy(2, ["127.0.0.1:9"]))
            await soaking(running)
            first = running.succession.current.shadow
            swap_in(path, policy(3, ["127.0.0.1:9"]))
            await until(lambda: running.succession.current.shadow not in (None, first))
            superseded = running.sample("headrace_policy_reloads_total", result="superseded")
            swap_in(path, policy(1, ["127.0.0.1:9"]))
            await until(lambda: running.succession.current.shadow is None)

            assert superseded == 1
            assert running.number == 1

    run(main)


class Falls(Filter):
    """Falls over."""

    def on_request(self, request: Request, now_s: float) -> Action:
        raise KeyError(request.id)


class Awaits(Filter):
    """Asks the world."""

    async def on_request(self, request: Request, now_s: float) -> Action:
        await Effect[None]()
        return Continue()


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage with one filter."""

    opened: Filter = field(default_factory=Filter)
    name: str = "stage"
    needs: Needs = field(default_factory=Needs)
    deadline_s: float = 1.0
    on_failure: OnFailure = OnFailure.OPEN

    def open(self, info: ExchangeInfo) -> Filter:
        """Return the filter."""
        return self.opened


def generation(opened: Filter) -> Generation:
    """Return a generation whose only stage has the filter *opened*."""
    tenants = Tenants()
    plan = make_plan("default", (Stage(opened),), None, Limits())
    plans = {"default": replace(plan, ended=tenants.leave)}
    return Generation(Program("d"), plans, Modes(), lambda: "id", tenants=tenants)


class Unheard(Exception):
    """What a refresh may raise."""


def one_request(shadow: Shadow, live: Generation) -> list[Output]:
    """Let a request without a body pass both; return what the live one answered."""
    exchange = shadow.open(live, Opening(), 1.0)
    answered = exchange.receive(Head(Direction.REQUEST, Headers(((":method", "GET"),)), True), 1.0)
    exchange.end("complete", 2.0)
    return answered


def test_a_policy_that_falls_over_in_its_trial_is_given_up_and_nobody_notices() -> None:
    reasons: list[str] = []
    report = SoakReport(0.0, 1.0)
    new = generation(Falls())
    shadow = Shadow(new, lambda: None, report, reasons.append, reasons.append)
    answers = [one_request(shadow, generation(Filter())) for _ in range(3)]

    assert all(isinstance(one, HeadersReply) for (one,) in answers)
    assert reasons == ["stage `stage` failed on a live request"]
    assert report.decisions == 0
    assert report.skipped == 2
    assert new.tenants.count == 0


def test_a_bug_in_the_trial_itself_ends_the_trial_only() -> None:
    def broken() -> None:
        raise Unheard

    reasons: list[str] = []
    new = generation(Filter())
    shadow = Shadow(new, broken, SoakReport(0.0, 1.0), reasons.append, reasons.append)
    answered = one_request(shadow, generation(Filter()))

    assert isinstance(answered[0], HeadersReply)
    assert reasons == ["it failed on a live request: Unheard"]


def test_a_stage_that_fails_in_both_is_no_reason_to_refuse_the_new_one() -> None:
    kinds: list[str] = []
    reasons: list[str] = []
    shadow = Shadow(
        generation(Falls()), lambda: None, SoakReport(0.0, 1.0), kinds.append, reasons.append
    )
    one_request(shadow, generation(Falls()))

    assert (kinds, reasons) == (["same"], [])


def test_what_awaits_the_world_is_not_performed_and_not_judged() -> None:
    kinds: list[str] = []
    new = generation(Awaits())
    shadow = Shadow(new, lambda: None, SoakReport(0.0, 1.0), kinds.append, kinds.append)
    answered = one_request(shadow, generation(Filter()))

    assert [type(output) for output in answered] == [HeadersReply]
    assert kinds == ["unjudged"]
    assert new.tenants.count == 0


def test_how_many_are_compared_at_once_is_bounded() -> None:
    live, new = generation(Filter()), generation(Filter())
    report = SoakReport(0.0, 1.0)
    shadow = Shadow(new, lambda: None, report, lambda kind: None, lambda reason: None)
    many = [shadow.open(live, Opening(), 1.0) for _ in range(SHADOWS_MAX + 3)]

    assert (new.tenants.count, live.tenants.count) == (SHADOWS_MAX, SHADOWS_MAX + 3)
    for exchange in many:
        exchange.end("client-gone", 2.0)
    assert (new.tenants.count, live.tenants.count) == (0, 0)
    assert (report.skipped, report.verdicts["unjudged"]) == (3, SHADOWS_MAX)
