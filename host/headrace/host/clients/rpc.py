"""Performs `Rpc`: Model Armor over gRPC, with its streams; needs the extra `model-armor`."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from time import monotonic

import msgspec
from msgspec import Struct

from headrace.extensions.safety.contract import HttpReply, Kind, Rpc, Trouble
from headrace.host.clients.armor_wire import SERVICE, BadMessage, Message, installed, messages
from headrace.host.clients.google import GoogleToken
from headrace.host.clients.grpc_calls import Channel, Duplex, Metadata, RpcFailed
from headrace.host.clients.secrets import headers_of
from headrace.host.clients.slots import Busy, Slots

MISSING = "gRPC needs google-cloud-modelarmor: install `headrace[model-armor]`"
CHANNELS_MAX = 64  # servers: one per location
STREAMS_MAX = 1_024
IDLE_S = 10.0  # after which a stream is ended: nobody tells that no more text comes
STATUSES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 409,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
}


class RpcClient:
    """Calls gRPC services for guards. Mutable; made and used in one event loop."""

    def __init__(self, slots: Slots, google: GoogleToken, environment: Mapping[str, str]) -> None:
        self._slots = slots
        self._google = google
        self._environment = environment
        self._channels: OrderedDict[str, Channel] = OrderedDict()
        self._streams: OrderedDict[tuple[str, str], _Stream] = OrderedDict()
        self._sweeper: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        """End all streams and close all connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        while self._streams:
            self._streams.popitem()[1].call.cancel()
        while self._channels:
            await self._channels.popitem()[1].close()

    async def send(self, rpc: Rpc) -> HttpReply | Trouble:
        """Return the answer to *rpc* as REST's JSON, or why nothing came."""
        if not installed():
            return Trouble(Kind.ERROR, MISSING)
        call, waits = rpc.call, True
        try:
            async with asyncio.timeout(call.timeout_s):
                async with self._slots.one(call.guard, call.at_once):
                    waits = False
                    return await self._sent(rpc)
        except Busy:
            return Trouble(Kind.BUSY, f"{call.at_once} calls at once, and others wait for long")
        except TimeoutError:
            if waits:
                return Trouble(Kind.BUSY, f"{call.at_once} calls at once, none free in time")
            return Trouble(Kind.TIMEOUT, f"no answer within {call.timeout_s:g} s")

    async def _sent(self, rpc: Rpc) -> HttpReply | Trouble:
        metadata = await self._metadata(rpc)
        if isinstance(metadata, Trouble):
            return metadata
        asked, answered = messages(rpc.method)
        path = f"/{SERVICE}/{rpc.method}"
        try:
            message = asked.from_json(rpc.call.body)
            channel = self._channel(rpc.call.url)
            if rpc.stream:
                stream = await self._stream(rpc, channel, path, metadata)
                body = await self._said(stream, message, rpc, answered)
            else:
                body = answered.to_json(await channel.call(path, message, metadata))
        except RpcFailed as failed:
            return _refusal(failed)
        except BadMessage as error:
            return Trouble(Kind.ERROR, str(error))
        if len(body) > rpc.call.answer_bytes_max:
            why = f"the answer is larger than {rpc.call.answer_bytes_max} bytes"
            return Trouble(Kind.ERROR, why)
        return HttpReply(200, {}, body)

    async def _metadata(self, rpc: Rpc) -> Metadata | Trouble:
        headers = headers_of(rpc.call.secrets, self._environment)
        if isinstance(headers, Trouble):
            return headers
        named = {name.lower(): value for name, value in headers.items()}
        if rpc.call.google:
            token = await self._google.token()
            if isinstance(token, Trouble):
                return token
            named["authorization"] = f"Bearer {token}"
        return tuple(named.items())

    def _channel(self, url: str) -> Channel:
        channel = self._channels.get(url)
        if channel is None:
            if len(self._channels) >= CHANNELS_MAX:
                raise RpcFailed("UNAVAILABLE")
            channel = self._channels[url] = Channel(url)
        return channel

    async def _stream(self, rpc: Rpc, channel: Channel, path: str, metadata: Metadata) -> "_Stream":
        key = rpc.call.guard, rpc.stream
        stream = self._streams.get(key)
        if stream is None:
            if len(self._streams) >= STREAMS_MAX:
                self._streams.popitem(last=False)[1].call.cancel()
            stream = self._streams[key] = _Stream(key, channel.stream(path, metadata))
        self._streams.move_to_end(key)
        stream.used_s = monotonic()
        self._sweep_later()
        return stream

    async def _said(self, stream: "_Stream", message: bytes, rpc: Rpc, answered: Message) -> bytes:
        """Return what is said of the piece in *message*; a stream that is out of step is ended."""
        try:
            async with stream.turn:
                body, whole = await stream.ask(message, rpc.call.body, answered)
        except BaseException:
            self._drop(stream)
            raise
        if not whole:
            self._drop(stream)
        return body

    def _drop(self, stream: "_Stream") -> None:
        stream.call.cancel()
        if self._streams.get(stream.key) is stream:
            del self._streams[stream.key]

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(IDLE_S, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        stale_s = monotonic() - IDLE_S
        for stream in [one for one in self._streams.values() if one.used_s <= stale_s]:
            self._drop(stream)
        if self._streams:
            self._sweep_later()


class _Stream:
    """One stream under way. Its pieces take turns. Written by `RpcClient`."""

    def __init__(self, key: tuple[str, str], call: Duplex) -> None:
        self.key = key
        self.call = call
        self.turn = asyncio.Lock()
        self.used_s = 0.0

    async def ask(self, message: bytes, sent: bytes, answered: Message) -> tuple[bytes, bool]:
        """Send one piece; return the answer that counts, and whether it was the last about it.

        The service may answer in several parts, each of which says what it was about: they are
        read until they cover the piece, or one has a finding.
        """
        await self.call.write(message)
        size, heard = _size(sent), 0
        while True:
            answer = await self.call.read()
            if answer is None:
                raise RpcFailed("UNAVAILABLE")
            body = answered.to_json(answer)
            result = msgspec.json.decode(body, type=_Answer).sanitization_result
            chunk = result.sanitization_metadata.stream_chunk_processed
            heard += size if chunk is None else len(chunk.text)
            if heard >= size or result.filter_match_state == "MATCH_FOUND":
                return body, heard >= size


class _Chunk(Struct, frozen=True):
    text: str = ""


class _Metadata(Struct, frozen=True, rename="camel"):
    stream_chunk_processed: _Chunk | None = None


class _Result(Struct, frozen=True, rename="camel"):
    filter_match_state: str = ""
    sanitization_metadata: _Metadata = _Metadata()


class _Answer(Struct, frozen=True, rename="camel"):
    sanitization_result: _Result = _Result()


class _Sent(Struct, frozen=True, rename="camel"):
    user_prompt_data: _Chunk = _Chunk()
    model_response_data: _Chunk = _Chunk()


def _size(body: bytes) -> int:
    """Return the length of the text that *body* sends."""
    sent = msgspec.json.decode(body, type=_Sent)
    return len(sent.user_prompt_data.text) + len(sent.model_response_data.text)


def _refusal(failed: RpcFailed) -> HttpReply | Trouble:
    """Return a status as REST would say it, so that one reader reads both."""
    match failed.status:
        case "UNAVAILABLE":
            return Trouble(Kind.UNREACHABLE, "the gRPC service is not available")
        case "DEADLINE_EXCEEDED":
            return Trouble(Kind.TIMEOUT, "the service gave up in time")
        case status:
            after_s = failed.retry_after_s
            headers = {} if after_s is None else {"retry-after": str(max(0, round(after_s)))}
            body = msgspec.json.encode({"error": {"status": status}})
            return HttpReply(STATUSES.get(status, 500), headers, body)
