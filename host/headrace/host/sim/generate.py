"""The endpoints that answer with text or vectors."""

import base64
import time
from array import array
from collections.abc import Callable

import msgspec
from aiohttp import web

from headrace.host.sim.api_error import ApiError
from headrace.host.sim.bodies import (
    Ask,
    EmbeddingsBody,
    decode,
    embedding_inputs,
    read_chat,
    read_completion,
    read_responses,
)
from headrace.host.sim.chance import Splitmix
from headrace.host.sim.dialect import Answer, Chat, Completion, Dialect, Identity, Usage
from headrace.host.sim.dialect_responses import Responses
from headrace.host.sim.request import Finished, FinishReason
from headrace.host.sim.service import Generation, Service
from headrace.host.sim.tokens import fingerprint

REQUEST_ID_CHARS_MAX = 128
Word = Callable[[Identity, bool], Dialect]


class Generate:
    """Handles the endpoints of one `Service` that need its replica."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        """Return the routes handled here."""
        return [
            web.post("/v1/chat/completions", self._chat),
            web.post("/v1/completions", self._completion),
            web.post("/v1/responses", self._responses),
            web.post("/v1/embeddings", self._embeddings),
        ]

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._text(request, read_chat, Chat)

    async def _completion(self, request: web.Request) -> web.StreamResponse:
        return await self._text(request, read_completion, Completion)

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        return await self._text(request, read_responses, lambda identity, _: Responses(identity))

    async def _text(
        self, request: web.Request, read: Callable[[bytes], Ask], word: Word
    ) -> web.StreamResponse:
        ask = read(await read_json(request))
        service = self._service
        generation = service.generate(ask.model, ask.pieces, ask.max_tokens, ask.stream)
        identity = Identity(_number(request, generation), ask.model, int(time.time()))
        dialect = word(identity, ask.include_usage)
        try:
            if ask.stream:
                return await self._stream(request, ask, generation, dialect)
            answer = await self._complete(ask, generation)
            return web.json_response(body=msgspec.json.encode(dialect.whole(answer)))
        finally:
            service.driver.abort(generation.number)

    async def _stream(
        self, request: web.Request, ask: Ask, generation: Generation, dialect: Dialect
    ) -> web.StreamResponse:
        """Send each token as an event; those that left since the last write go in one write."""
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        stream, sent = generation.stream, 0
        events = dialect.opening()
        while not stream.finished:
            await stream.changed()
            fresh = generation.pieces[sent : stream.ready]
            sent += len(fresh)
            events += b"".join(dialect.token(msgspec.json.encode(piece)) for piece in fresh)
            if not stream.finished:
                await response.write(events)
                events = b""
        if stream.finished.reason is FinishReason.ABORT:
            # The status is sent already: only a cut connection can tell of the failure.
            raise ConnectionResetError("the server stops")
        await response.write(events + dialect.closing(_answer(ask, generation)))
        await response.write_eof()
        return response

    async def _complete(self, ask: Ask, generation: Generation) -> Answer:
        await generation.stream.changed()
        return _answer(ask, generation)

    async def _embeddings(self, request: web.Request) -> web.StreamResponse:
        body = decode(await read_json(request), EmbeddingsBody)
        inputs = embedding_inputs(body)
        if not inputs:
            raise ApiError(400, "no input; send at least one", param="input")
        service = self._service
        pending: list[Generation] = []
        try:
            for pieces in inputs:
                pending.append(service.embed(body.model, pieces))
            for generation in pending:
                await generation.stream.changed()
                _finished(generation)
        finally:
            for generation in pending:
                service.driver.abort(generation.number)
        vectors = [_vector(pieces, body.dimensions) for pieces in inputs]
        data = [
            {"object": "embedding", "index": index, "embedding": _shown(vector, body)}
            for index, vector in enumerate(vectors)
        ]
        tokens = sum(len(pieces) for pieces in inputs)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0}
        whole = {"object": "list", "model": body.model, "data": data, "usage": usage}
        return web.json_response(body=msgspec.json.encode(whole))


async def read_json(request: web.Request) -> bytes:
    """Return the body of *request*, which must say that it is JSON.

    Raises:
        ApiError: 415 for another content type.
    """
    if request.content_type != "application/json":
        message = "Unsupported Media Type: Only 'application/json' is allowed"
        raise ApiError(415, message, "UnsupportedMediaTypeError")
    return await request.read()


def _number(request: web.Request, generation: Generation) -> str:
    """Return what the answer's id ends with: the request id that came, else our number."""
    given = request.headers.get("x-request-id", "")[:REQUEST_ID_CHARS_MAX]
    return given if given and given.isascii() else f"{generation.number:032x}"


def _answer(ask: Ask, generation: Generation) -> Answer:
    """Return the complete answer, once its stream says that it is finished."""
    finished = _finished(generation)
    usage = Usage(len(ask.pieces), generation.stream.ready, finished.cached_tokens)
    return Answer("".join(generation.pieces), finished.reason.value, usage)


def _finished(generation: Generation) -> Finished:
    """Return how *generation* ended; a server that stops answers 503."""
    finished = generation.stream.finished
    if finished is None or finished.reason is FinishReason.ABORT:
        raise ApiError(503, "the server stops; send the request again", "ServiceUnavailableError")
    return finished


def _vector(pieces: list[str], dimensions: int) -> list[float]:
    """Return a vector of length 1 that depends on *pieces* alone."""
    chance = Splitmix(fingerprint(pieces))
    raw = [chance.uniform() * 2 - 1 for _ in range(dimensions)]
    norm = sum(value * value for value in raw) ** 0.5
    return [value / norm for value in raw]


def _shown(vector: list[float], body: EmbeddingsBody) -> list[float] | str:
    if body.encoding_format == "float":
        return vector
    return base64.b64encode(array("f", vector).tobytes()).decode()
