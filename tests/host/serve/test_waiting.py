"""Requests that wait, over the real wire, at a pool that has no endpoint yet."""

import json
from pathlib import Path

from headrace.extensions.picker.flow.waited import Waited
from tests.host.extproc.wire import Stream, body, reply
from tests.host.scrape.servers import servers
from tests.host.serve.house import (
    CHAT,
    House,
    begin,
    chat,
    conclude,
    connected,
    house,
    policy,
    run,
    swap_in,
    until,
)


def with_room(text: str) -> str:
    return text.replace(
        "  stale after 60s\n", "  stale after 60s\n  wait up to 20s for endpoints\n"
    )


async def refused(stream: Stream) -> tuple[int, str]:
    """Return the status and the reason of the answer that comes."""
    answer = (await reply(stream)).immediate_response
    told = {h.header.key: h.header.raw_value for h in answer.headers.set_headers}
    return answer.status.code, told["x-headrace-reason"].decode()


async def waits(running: House, stream: Stream) -> None:
    """Send a whole request, and wait until it waits."""
    count = running.sample("headrace_queue_requests", pool="gemma")
    await begin(stream)
    await stream.write(body(json.dumps(CHAT).encode(), end_of_stream=True))
    await until(lambda: running.sample("headrace_queue_requests", pool="gemma") == count + 1)


def test_a_request_waits_for_the_first_endpoint_and_a_reload_does_not_disturb_it(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        async with servers(1) as (server,):
            path.write_text(with_room(policy(1, ["127.0.0.1:1"])))
            async with house([path]) as running, connected(running) as open_stream:
                stream = open_stream()
                await waits(running, stream)
                assert running.sample("headrace_queue_bytes", pool="gemma") > 0
                swap_in(path, with_room(policy(2, [server.address])))
                await running.reach(2)
                assert await conclude(stream) == "upstream-1"
                await until(lambda: running.outcomes)
            (outcome,) = running.outcomes
            records = [r for run in outcome.runs for r in run.records]

            assert [r.how for r in records if isinstance(r, Waited)] == ["served"]

    run(main)


def test_a_client_that_leaves_waits_no_more(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(with_room(policy(1, ["127.0.0.1:1"])))
        async with house([path]) as running, connected(running) as open_stream:
            stream = open_stream()
            await waits(running, stream)
            stream.cancel()
            await until(lambda: not running.sample("headrace_queue_requests", pool="gemma"))

            labels = {"pool": "gemma", "outcome": "gone"}
            assert running.sample("headrace_queue_wait_seconds_count", **labels) == 1
            (outcome,) = running.outcomes
            assert outcome.termination == "client-gone"
            (left,) = [run for run in outcome.runs if run.result == "left"]
            assert (left.stage, left.hook, left.error) == ("picker", "on_request", "")
            (waited,) = left.records
            assert isinstance(waited, Waited)
            assert (waited.pool, waited.how) == ("gemma", "gone")
            assert waited.waited_s > 0.0

    run(main)


def test_who_waits_when_the_host_goes_down_is_told_so(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(with_room(policy(1, ["127.0.0.1:1"])))
        async with house([path]) as running, connected(running) as open_stream:
            stream = open_stream()
            await waits(running, stream)
            running.usher.drain()

            assert await refused(stream) == (503, "draining")

    run(main)


def test_a_policy_on_trial_that_would_let_a_request_wait_holds_nobody_up(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        async with servers(1) as (server,):
            path.write_text(policy(1, [server.address]))
            async with house([path], soak_s=0.6) as running:
                waiting = "overload when pool.queue < 1_000.0 { queue by 0 for up to 60s }\n"
                swap_in(path, policy(2, [server.address]) + waiting)
                await until(lambda: running.succession.current.shadow is not None)
                assert await chat(running) == "upstream-1"
                report = running.succession.soak
                assert report is not None
                await until(lambda: report.decisions)

                assert dict(report.verdicts) == {"unjudged": 1}
                assert running.store.flows.find("gemma") is None

    run(main)
