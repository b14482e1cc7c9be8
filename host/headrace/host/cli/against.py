"""Ask live servers what they export: for `headrace check --against URL`."""

import http.client
from collections.abc import Sequence
from http.client import HTTPMessage
from typing import IO
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from headrace.dsl.lints import absent
from headrace.dsl.policy import compile_policy
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import Diagnostic
from headrace.dsl.source import Source
from headrace.extensions.registry import declared
from headrace.host.cli.flags import Mistakes
from headrace.host.cli.imports import Imports
from headrace.host.cli.policies import installed_stages
from headrace.host.scrape.page import series

TIMEOUT_S = 5.0
PAGE_BYTES_MAX = 4 * 1024 * 1024
URLS_MAX = 20


class _Unfollowed(HTTPRedirectHandler):
    """Follows no redirect: the page is where it is said to be."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Return that nothing follows."""


def pages(urls: Sequence[str], mistakes: Mistakes) -> list[bytes]:
    """Return the metrics page of each of *urls*; note those that give none."""
    if len(urls) > URLS_MAX:
        mistakes.add(f"--against: at most {URLS_MAX} servers are asked")
        return []
    found: list[bytes] = []
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            mistakes.add(f"--against: `{url}` is no URL: write `http://127.0.0.1:8000/metrics`")
            continue
        whole = url if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}/metrics"
        page = _page(whole, mistakes)
        if page is not None:
            found.append(page)
    return found


def _page(url: str, mistakes: Mistakes) -> bytes | None:
    asked = Request(url, headers={"accept": "text/plain;version=0.0.4"})  # noqa: S310 - http only
    try:
        with build_opener(_Unfollowed).open(asked, timeout=TIMEOUT_S) as response:
            page: bytes = response.read(PAGE_BYTES_MAX + 1)
    except (URLError, OSError, ValueError, http.client.HTTPException) as error:
        why = getattr(error, "reason", None) or error
        mistakes.add(f"--against: `{url}` cannot be asked: {why}")
        return None
    if len(page) > PAGE_BYTES_MAX:
        mistakes.add(f"--against: the page at `{url}` is larger than {PAGE_BYTES_MAX} bytes")
        return None
    return page


def not_exported(
    sources: Sequence[Source], found: Sequence[Diagnostic], live: Sequence[bytes]
) -> tuple[Diagnostic, ...]:
    """Return what the policy asks for and none of the *live* pages has; *found* was found before.

    Nothing is asked of a policy with errors.
    """
    if not live or any(d.level is Level.ERROR for d in found):
        return ()
    loader = Imports.of(sources).load
    program = compile_policy(sources, installed_stages(), loader=loader, declares=declared)
    return absent(program, lambda name: any(_has(page, name) for page in live))


def _has(page: bytes, name: str) -> bool:
    return bool(series(page, name.encode()))
