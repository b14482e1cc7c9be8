import asyncio
import socket
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from headrace.host.sim.server import DRIVER, ModelServer, create_app, serve
from tests.host.sim.client import FAST, Client, Reply, chat, serving, talk

LIFE = replace(FAST, time_scale=1.0)
CHAT = "/v1/chat/completions"


def test_a_client_that_leaves_in_mid_stream_frees_its_blocks() -> None:
    async def conversation(client: Client) -> None:
        body = chat(max_tokens=5000, stream=True)
        async with client.session.post(CHAT, json=body) as answer:
            await answer.content.readline()
            assert await client.metric("vllm:num_requests_running") == 1
        await client.metric_becomes("vllm:num_requests_running", 0)
        assert await client.metric("vllm:kv_cache_usage_perc") == 0
        await client.metric_becomes("vllm:request_success_total", 1)

    talk(conversation, LIFE)


def test_a_client_that_leaves_before_its_answer_frees_its_blocks() -> None:
    async def conversation(client: Client) -> None:
        asking = asyncio.create_task(client.post(CHAT, chat(max_tokens=5000)))
        await client.metric_becomes("vllm:num_requests_running", 1)
        asking.cancel()
        await client.metric_becomes("vllm:num_requests_running", 0)
        assert await client.metric("vllm:kv_cache_usage_perc") == 0

    talk(conversation, LIFE)


def test_a_client_that_leaves_before_its_first_step_leaves_the_queue() -> None:
    async def conversation(client: Client) -> Reply:
        asking = asyncio.create_task(client.post(CHAT, chat(max_tokens=5000)))
        await client.metric_becomes("vllm:num_requests_waiting", 1)
        asking.cancel()
        await client.metric_becomes("vllm:num_requests_waiting", 0)
        return await client.post(CHAT, chat(max_tokens=1))

    # One simulated second takes ten, so that the request is still on its way into the queue.
    assert talk(conversation, replace(FAST, time_scale=0.1)).status == 200


def test_when_too_many_wait_the_next_is_turned_away() -> None:
    async def conversation(client: Client) -> Reply:
        body = chat(max_tokens=5000, stream=True)
        async with client.session.post(CHAT, json=body) as running:
            await running.content.readline()
            async with client.session.post(CHAT, json=body) as waiting:
                assert waiting.status == 200
                return await client.post(CHAT, chat())

    reply = talk(conversation, replace(LIFE, max_num_seqs=1, waiting_max=1))

    assert reply.status == 503
    assert reply.json()["error"]["type"] == "ServiceUnavailableError"


def test_many_streams_at_once_each_get_all_their_tokens() -> None:
    async def conversation(client: Client) -> list[Reply]:
        bodies = [
            chat(f"{n} {'word ' * 90}", max_tokens=20 + n, stream=True, model=model)
            for n, model in enumerate(("m", "alias", "tuned") * 10)
        ]
        return await asyncio.gather(*(client.post(CHAT, body) for body in bodies))

    replies = talk(conversation, replace(FAST, kv_blocks=64, max_num_seqs=8))

    assert [len(reply.events()) for reply in replies] == [20 + n + 3 for n in range(30)]


def test_simulated_time_runs_by_the_scale() -> None:
    async def conversation(client: Client) -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await client.post(CHAT, chat(max_tokens=200))
        took_s = loop.time() - began_s
        return took_s, await client.metric("vllm:e2e_request_latency_seconds_sum")

    took_s, simulated_s = talk(conversation, replace(FAST, time_scale=20.0))

    assert simulated_s == pytest.approx(0.015 + 200 * 0.01403, rel=0.03)
    assert simulated_s / 20 <= took_s < simulated_s


def test_serve_calls_ready_and_ends_cleanly_when_cancelled() -> None:
    async def whole() -> None:
        ready = asyncio.Event()
        task = asyncio.create_task(serve(FAST, ready.set))
        await ready.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(whole())


def test_a_server_that_stops_cuts_the_streams_and_answers_503_to_the_others() -> None:
    async def whole() -> None:
        async with ModelServer(LIFE) as server, aiohttp.ClientSession() as session:
            url = f"http://{server.address}"
            body = chat(max_tokens=5000)
            stream = await session.post(url + CHAT, json={**body, "stream": True})
            await stream.content.readline()
            waiting = asyncio.create_task(session.post(url + CHAT, json=body))
            async with aiohttp.ClientSession(url) as other:
                await Client(other, url).metric_becomes("vllm:num_requests_running", 2)
            await server.__aexit__(None, None, None)
            with pytest.raises(aiohttp.ClientError):
                await stream.read()
            reply = await waiting
            assert reply.status == 503
            assert (await reply.json())["error"]["type"] == "ServiceUnavailableError"

    asyncio.run(whole())


def test_without_its_driver_a_server_turns_requests_away_instead_of_keeping_them() -> None:
    async def whole() -> int:
        app = create_app(FAST)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        app[DRIVER].cancel()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}{CHAT}"
        async with aiohttp.ClientSession() as session, session.post(url, json=chat()) as answer:
            status = answer.status
        await runner.cleanup()
        return status

    assert asyncio.run(whole()) == 503


def test_a_taken_port_is_an_os_error_and_leaves_nothing_open() -> None:
    async def whole() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            options = replace(FAST, port=taken.getsockname()[1])
            with pytest.raises(OSError, match="address already in use"):
                async with ModelServer(options):
                    pass

    asyncio.run(whole())


def test_an_ipv6_address_has_brackets() -> None:
    async def conversation(client: Client) -> tuple[str, str]:
        return (await client.get("/health")).headers["x-served-by"], client.address

    served_by, address = talk(conversation, replace(FAST, host="::1"))

    assert served_by == address
    assert address.startswith("[::1]:")


def test_two_servers_give_the_same_answers() -> None:
    async def whole() -> tuple[str, str]:
        texts: list[str] = []
        async with serving() as one, serving() as other:
            for client in (one, other):
                reply = await client.post(CHAT, chat("which way?", max_tokens=30))
                texts.append(reply.json()["choices"][0]["message"]["content"])
        return texts[0], texts[1]

    one, other = asyncio.run(whole())

    assert one == other
