"""One page, over HTTP: within a deadline and a size, on connections that are kept."""

import asyncio
import errno
import zlib
from dataclasses import dataclass

import aiohttp

ERROR_CHARS_MAX = 200
_GZIP = 31  # of zlib: a gzip header and the largest window


class ScrapeFault(Exception):
    """There is no page.

    refused   nobody listens there
    answered  somebody answered, but with something else
    """

    def __init__(self, why: str, *, refused: bool = False, answered: bool = False) -> None:
        self.refused, self.answered = refused, answered
        super().__init__(why[:ERROR_CHARS_MAX])


@dataclass(frozen=True, slots=True)
class Page:
    """What came of a page. *flaw*: why it may not be all of it; empty if it is."""

    body: bytes
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page to fetch: within *timeout_s*, and no more than *bytes_max* of it, decoded."""

    url: str
    timeout_s: float
    bytes_max: int
    gzip: bool = False
    accept: str = "text/plain;version=0.0.4"


class Fetcher:
    """Fetches pages. Its connections live from making it until `close`."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # `page` has its own
            auto_decompress=False,  # it would be without a bound
            skip_auto_headers=("user-agent",),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def page(self, wanted: Wanted) -> Page:
        """Return the page, or what came of it.

        Raises:
            ScrapeFault: nothing came, or nothing that could be the page.
        """
        chunks = _Chunks(wanted.bytes_max)
        coding = "gzip" if wanted.gzip else "identity"
        headers = {"accept": wanted.accept, "accept-encoding": coding}
        try:
            async with (
                asyncio.timeout(wanted.timeout_s),
                self._session.get(wanted.url, allow_redirects=False, headers=headers) as response,
            ):
                _check(response, wanted)
                return await chunks.all_of(response)
        except TimeoutError:
            why = f"no metrics within {wanted.timeout_s:g} s"
            if chunks.size:
                return chunks.page(f"{why} but a part of them")
            raise ScrapeFault(why) from None
        except aiohttp.ClientConnectorError as error:
            refused = error.os_error.errno == errno.ECONNREFUSED
            why = "connection refused" if refused else f"cannot connect: {error.os_error}"
            raise ScrapeFault(why, refused=refused) from None
        except (aiohttp.ClientError, OSError, ValueError, zlib.error) as error:
            why = f"{type(error).__name__}: {error}"
            if chunks.size:
                return chunks.page(f"the page breaks off: {why}"[:ERROR_CHARS_MAX])
            raise ScrapeFault(why) from None


def _check(response: aiohttp.ClientResponse, wanted: Wanted) -> None:
    """Raise a ScrapeFault if *response* cannot be the page."""
    if response.status != 200:
        why = f"`{response.url.path}` answered {response.status}"
        # A server that is there and has no such page serves on; one that fails may not.
        raise ScrapeFault(why, answered=response.status < 500)
    coding = response.headers.get("content-encoding", "identity")
    if coding not in ("identity", "gzip"):
        raise ScrapeFault(f"`{response.url.path}` is in the coding `{coding}`", answered=True)


class _Chunks:
    """What has come of a page so far, decoded. Written by `Fetcher.page` only."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._kept: list[bytes] = []
        self.size = 0

    async def all_of(self, response: aiohttp.ClientResponse) -> Page:
        """Return the body of *response*, or its beginning if it is too large."""
        zipped = response.headers.get("content-encoding") == "gzip"
        unzip = zlib.decompressobj(_GZIP) if zipped else None
        async for chunk in response.content.iter_any():
            room = self._bytes_max - self.size
            data = unzip.decompress(chunk, room + 1) if unzip else chunk
            self._kept.append(data[:room])
            self.size += len(data)
            if len(data) > room:
                return self.page(f"the page is larger than {self._bytes_max} bytes")
            if unzip is not None and unzip.eof:  # what follows is kept by it without a bound
                break
        if unzip is not None and not unzip.eof:
            return self.page("the page breaks off")
        return self.page("")

    def page(self, flaw: str) -> Page:
        """Return what has come."""
        return Page(b"".join(self._kept), flaw)
