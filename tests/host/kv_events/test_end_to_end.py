"""A simulated model server that publishes, the picker, and real sockets between them."""

import asyncio
import json
from dataclasses import replace

import pytest

from headrace.extensions.call import Call, parse_call
from headrace.extensions.headers import Headers
from headrace.extensions.observability.usage import usage_in
from headrace.extensions.picker.prompt import prompt_of
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.stage import Picker
from headrace.extensions.picker.store import Store
from headrace.extensions.stage import ExchangeInfo, Outcome, Request, Route, StageRun
from headrace.host.kv_events.listener import KvListener
from tests.host.kv_events.house import Told, free_ports, policy, until
from tests.host.sim.client import FAST, Client, serving

CHAT = "/v1/chat/completions"
WORDS = "the keeper watches the level and moves the gate by hand until evening settles "


def text(n: int, tokens: int = 800) -> str:
    return f"{n} " + WORDS * (tokens // 20)


class Gateway:
    """Sends chats through the picker to one server."""

    def __init__(self, client: Client, store: Store, picker: Picker) -> None:
        self.client, self.store, self._picker = client, store, picker
        self._count = 0

    async def ask(self, *messages: tuple[str, str]) -> str:
        """Return the answer to a chat."""
        self._count += 1
        listed = [{"role": role, "content": content} for role, content in messages]
        sent = {"model": "m", "messages": listed, "max_tokens": 30}
        loop = asyncio.get_running_loop()
        headers = Headers([(":method", "POST"), (":path", CHAT)])
        body = json.dumps(sent).encode()
        call = parse_call(CHAT, "application/json", body)
        request = Request(f"r-{self._count}", headers, body, call, Route("m", "p", "m"))
        chosen = self._picker.open(ExchangeInfo(request.id, "main", headers, loop.time()))
        assert chosen is not None
        chosen.on_request(request, loop.time())
        reply = await self.client.post(CHAT, sent)
        assert reply.status == 200
        usage = usage_in(reply.text.encode())
        now_s = loop.time()
        run = StageRun(
            "observability", "on_response_end", now_s, now_s, "continue", "", "", (usage,)
        )
        chosen.on_end(Outcome(request, now_s, now_s, 200, "complete", runs=(run,)), now_s)
        answer: str = reply.json()["choices"][0]["message"]["content"]
        return answer

    def known(self, message: str) -> float:
        """Return which share of a first question the index has."""
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": message}]})
        call = parse_call(CHAT, "application/json", body.encode())
        assert isinstance(call, Call)
        found = prompt_of(call, "m").hashes
        return self.store.prefixes["p"].match(found).get(self.client.address, 0.0)


@pytest.mark.parametrize("replay", [True, False])
def test_the_index_follows_what_the_server_evicts(replay: bool) -> None:
    async def whole() -> None:
        events, replays = free_ports(2)
        options = replace(FAST, kv_blocks=300, kv_events_port=events, kv_replay_port=replays)
        async with serving(options) as client:
            program = policy([client.address], events, replays if replay else None)
            store, told = Store.for_program(program), Told()
            listener = KvListener(store, told)
            # No block count: only events can tell what was evicted.
            store.scraped(
                "p", client.address, ServerFacts(0, 0, 0.0), asyncio.get_running_loop().time()
            )
            gateway = Gateway(client, store, Picker(program, store))
            await listener.adopt(program)
            try:
                book = store.kv["p"]
                for warm in range(200):
                    await gateway.ask(("user", f"hello {warm} {WORDS}"))
                    if told.counts:
                        break
                    await asyncio.sleep(0.02)
                answer = await gateway.ask(("user", text(1)))
                await gateway.ask(("user", text(1)), ("assistant", answer), ("user", text(2, 100)))
                await until(lambda: book.tally.matched >= 2, (told, book.tally))
                assert gateway.known(text(1)) == 1.0
                for n in range(10, 20):
                    await gateway.ask(("user", text(n)))
                await until(lambda: gateway.known(text(1)) == 0.0, (told, book.tally))
                assert gateway.known(text(19)) == 1.0
                assert book.tally.unmatched == 0
                assert told.counts["malformed"] == told.counts["faulty_event"] == 0
            finally:
                await listener.stop()

    asyncio.run(whole())
