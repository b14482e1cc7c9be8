"""gRPC health, asked by a real client."""

import asyncio
from typing import Any

import pytest

from headrace.host.extproc import health
from headrace.host.extproc.grpcio import SERVICE
from headrace.host.extproc.proto import messages as pb
from tests.host.extproc.wire import PATIENCE_S, aio, fresh, run, serving

READY = ["", "readiness", SERVICE]
NAMES = {1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


def check(channel: Any) -> Any:
    """Return the client's side of Check."""
    return channel.unary_unary(
        f"/{health.HEALTH_SERVICE}/Check",
        request_serializer=pb.HealthCheckRequest.SerializeToString,
        response_deserializer=pb.HealthCheckResponse.FromString,
    )


def watch(channel: Any, service: str) -> Any:
    """Return a stream of the news of *service*."""
    method = channel.unary_stream(
        f"/{health.HEALTH_SERVICE}/Watch",
        request_serializer=pb.HealthCheckRequest.SerializeToString,
        response_deserializer=pb.HealthCheckResponse.FromString,
    )
    return method(pb.HealthCheckRequest(service=service))


@pytest.mark.parametrize("serving_now", [True, False])
def test_check_tells_the_flag_for_all_but_liveness(serving_now: bool) -> None:
    async def test() -> None:
        async with serving(fresh) as (server, address), aio.insecure_channel(address) as channel:
            server.set_serving(serving_now)
            told: dict[str, str] = {}
            for name in [*READY, "liveness"]:
                answer = await check(channel)(pb.HealthCheckRequest(service=name))
                told[name] = NAMES[answer.status]

            ready = "SERVING" if serving_now else "NOT_SERVING"
            assert told == {**dict.fromkeys(READY, ready), "liveness": "SERVING"}

    run(test())


def test_check_of_an_unknown_service_is_not_found() -> None:
    async def test() -> None:
        async with serving(fresh) as (_, address), aio.insecure_channel(address) as channel:
            with pytest.raises(aio.AioRpcError) as error:
                await check(channel)(pb.HealthCheckRequest(service="nobody"))
            assert error.value.code().name == "NOT_FOUND"

    run(test())


def test_a_request_that_is_none_is_an_invalid_argument() -> None:
    async def test() -> None:
        async with serving(fresh) as (_, address), aio.insecure_channel(address) as channel:
            raw = channel.unary_unary(f"/{health.HEALTH_SERVICE}/Check")
            with pytest.raises(aio.AioRpcError) as error:
                await raw(b"\xff")
            assert error.value.code().name == "INVALID_ARGUMENT"

    run(test())


def test_watch_tells_every_change_and_ends_with_the_host() -> None:
    async def test() -> None:
        async with serving(fresh) as (server, address), aio.insecure_channel(address) as channel:
            ready, unknown = watch(channel, "readiness"), watch(channel, "nobody")
            told = [NAMES[(await ready.read()).status]]
            server.set_serving(False)
            told.append(NAMES[(await ready.read()).status])
            server.set_serving(True)
            told.append(NAMES[(await ready.read()).status])
            draining = asyncio.ensure_future(server.drain(PATIENCE_S))
            told.append(NAMES[(await ready.read()).status])

            assert told == ["SERVING", "NOT_SERVING", "SERVING", "NOT_SERVING"]
            assert NAMES[(await unknown.read()).status] == "SERVICE_UNKNOWN"
            assert (await ready.code()).name == "UNAVAILABLE"
            await asyncio.wait_for(draining, PATIENCE_S / 2)  # watchers do not hold it up

    run(test())


def test_watchers_are_bounded_and_a_gone_one_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "WATCHES_MAX", 1)

    async def test() -> None:
        async with serving(fresh) as (_, address), aio.insecure_channel(address) as channel:
            first = watch(channel, "")
            await first.read()
            second = watch(channel, "")
            assert (await second.code()).name == "RESOURCE_EXHAUSTED"
            first.cancel()
            while (await watch(channel, "").read()) is aio.EOF:  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.01)

    run(test())
