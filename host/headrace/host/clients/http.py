"""Performs `Http`: one request within a deadline, a size, and its guard's number of slots."""

import asyncio
import errno
import ssl
from collections.abc import Mapping

import aiohttp

from headrace.extensions.safety.contract import Http, HttpReply, Kind, Trouble
from headrace.host.clients.google import GoogleToken
from headrace.host.clients.secrets import headers_of
from headrace.host.clients.slots import Busy, Slots

KEEPALIVE_S = 30.0
TRIES = 2  # a kept connection may have been closed meanwhile; to be judged twice does no harm
AGENT = "headrace"


class HttpClient:
    """Sends requests of guards. Its connections live from making it until `close`.

    No cookies, no redirects, no proxies of the environment, no decompression. Made and used
    in one event loop.
    """

    def __init__(self, slots: Slots, google: GoogleToken, environment: Mapping[str, str]) -> None:
        self._slots = slots
        self._google = google
        self._environment = environment
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # `send` has its own
            auto_decompress=False,  # it would be without a bound
            headers={"user-agent": AGENT, "accept-encoding": "identity"},
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def send(self, call: Http) -> HttpReply | Trouble:
        """Return what the server answers *call*, whatever its status, or why nothing came."""
        waits = True
        try:
            async with asyncio.timeout(call.timeout_s):
                async with self._slots.one(call.guard, call.at_once):
                    waits = False
                    return await self._sent(call)
        except Busy:
            return Trouble(Kind.BUSY, f"{call.at_once} calls at once, and others wait for long")
        except TimeoutError:
            if waits:
                return Trouble(Kind.BUSY, f"{call.at_once} calls at once, none free in time")
            return Trouble(Kind.TIMEOUT, f"no answer within {call.timeout_s:g} s")

    async def _sent(self, call: Http) -> HttpReply | Trouble:
        headers = headers_of(call.secrets, self._environment)
        if isinstance(headers, Trouble):
            return headers
        if call.google:
            token = await self._google.token()
            if isinstance(token, Trouble):
                return token
            headers["authorization"] = f"Bearer {token}"
        broke = Trouble(Kind.UNREACHABLE)
        for _ in range(TRIES):
            try:
                return await self._exchange(call, headers)
            except aiohttp.ClientConnectorError as error:
                return Trouble(Kind.UNREACHABLE, _why(error))
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, OSError) as error:
                broke = Trouble(Kind.UNREACHABLE, f"the connection broke: {_type(error)}")
            except aiohttp.ClientPayloadError as error:
                return Trouble(Kind.UNREACHABLE, f"the answer broke off: {_type(error)}")
            except (aiohttp.ClientError, ValueError) as error:
                return Trouble(Kind.ERROR, f"no exchange in HTTP: {_type(error)}")
        return broke

    async def _exchange(self, call: Http, secret: Mapping[str, str]) -> HttpReply | Trouble:
        headers = {**dict(call.headers), **secret}
        async with self._session.request(
            call.method, call.url, data=call.body, headers=headers, allow_redirects=False
        ) as response:
            coding = response.headers.get("content-encoding", "identity")
            if coding != "identity":
                return Trouble(Kind.ERROR, "the answer is in a coding that was not asked for")
            body = await _bounded(response, call.answer_bytes_max)
            if body is None:
                why = f"the answer is larger than {call.answer_bytes_max} bytes"
                return Trouble(Kind.ERROR, why)
            names = {name.lower(): value for name, value in response.headers.items()}
            return HttpReply(response.status, names, body)


async def _bounded(response: aiohttp.ClientResponse, bytes_max: int) -> bytes | None:
    """Return the body of *response*, None if it is larger than *bytes_max*."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > bytes_max:
            response.close()
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _why(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "the server's certificate is not trusted"
    if isinstance(error.os_error, ssl.SSLError):
        return f"no TLS: {error.os_error.reason or 'handshake failed'}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name cannot be resolved"
    if error.os_error.errno == errno.ECONNREFUSED:
        return "connection refused"
    return f"cannot connect: {errno.errorcode.get(error.os_error.errno or 0, 'no reason')}"


def _type(error: Exception) -> str:
    """Return the type of *error* only: the text of some has the headers that were sent."""
    return type(error).__name__
