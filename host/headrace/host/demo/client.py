"""The demo's callers: send planned requests through Envoy and note what came back."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import aiohttp
import msgspec

from headrace.host.demo.tally import Result
from headrace.host.sim.load import PlannedRequest

_REQUEST_S_MAX = 60.0
_LINE_BYTES_MAX = 1 << 20
_DATA = b"data:"
_DONE = b"[DONE]"


class _PromptDetails(msgspec.Struct):
    cached_tokens: int = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _PromptDetails | None = None


class _Event(msgspec.Struct):
    usage: _Usage | None = None


_EVENTS = msgspec.json.Decoder(_Event)


@dataclass(slots=True)
class _Stream:
    """What one event stream has told so far. Written while it is read."""

    first_s: float | None = None
    usage: _Usage = field(default_factory=_Usage)
    done: bool = False

    def line(self, line: bytes, now_s: float) -> None:
        """Take one line of the stream."""
        if not line.startswith(_DATA):
            return
        if self.first_s is None:
            self.first_s = now_s
        data = line[len(_DATA) :].strip()
        if data == _DONE:
            self.done = True
        elif b'"usage"' in data and (usage := _EVENTS.decode(data).usage) is not None:
            self.usage = usage


async def send_all(
    session: aiohttp.ClientSession,
    url: str,
    requests: Iterable[PlannedRequest],
    sent: Callable[[], None],
    ended: Callable[[Result], None],
) -> None:
    """Send each of *requests* at its time, whatever became of the others; wait for all."""
    loop = asyncio.get_running_loop()
    start_s = loop.time()

    async def one(request: PlannedRequest) -> None:
        ended(await _send(session, url, request))

    async with asyncio.TaskGroup() as group:
        for request in requests:
            await asyncio.sleep(max(0.0, start_s + request.send_s - loop.time()))
            sent()
            group.create_task(one(request))


async def _send(session: aiohttp.ClientSession, url: str, request: PlannedRequest) -> Result:
    kind, model = request.workload_class, request.model
    try:
        async with asyncio.timeout(_REQUEST_S_MAX):
            return await _exchange(session, url, request)
    except TimeoutError:
        return Result(kind, model, 0, error=f"no answer within {_REQUEST_S_MAX:g} s")
    except (aiohttp.ClientError, msgspec.DecodeError, ValueError) as error:
        return Result(kind, model, 0, error=f"{type(error).__name__}: {error}")


async def _exchange(session: aiohttp.ClientSession, url: str, request: PlannedRequest) -> Result:
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    stream = _Stream()
    body = msgspec.json.encode(request.body())
    headers = {"content-type": "application/json", **dict(request.headers)}
    async with session.post(
        f"{url}/v1/chat/completions", data=body, headers=headers, read_bufsize=_LINE_BYTES_MAX
    ) as response:
        if response.status == 200:
            async for line in response.content:
                stream.line(line, loop.time())
        else:
            await response.read()
    details = stream.usage.prompt_tokens_details or _PromptDetails()
    complete = stream.done or response.status != 200
    return Result(
        request.workload_class,
        request.model,
        response.status,
        endpoint=response.headers.get("x-served-by", ""),
        reason=response.headers.get("x-headrace-reason", ""),
        first_token_s=None if stream.first_s is None else stream.first_s - start_s,
        prompt_tokens=stream.usage.prompt_tokens,
        cached_tokens=details.cached_tokens,
        output_tokens=stream.usage.completion_tokens,
        error="" if complete else "the stream ended before `[DONE]`",
    )
