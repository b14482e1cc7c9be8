"""Header changes: what stages may ask for, and all of them folded into one mutation."""

import re
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

from headrace.extensions.headers import Headers, Pairs
from headrace.host.exchange.reply import NO_CHANGE, HeaderMutation

# RFC 9110 section 7.6.1, and what frames a message: only the data plane may set these.
HOP_BY_HOP = frozenset(
    (
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 section 5.6.2, lower case
_VALUE_REFUSED = re.compile(r"[\r\n\0]")


class ChangeRefused(Exception):
    """A stage asked for a header change that must never reach the wire."""


def checked(name: str, value: str = "") -> str:
    """Return *name* in lower case.

    Raises:
        ChangeRefused: the name is no token, hop-by-hop, a pseudo-header or Envoy's own, or
            the value has CR, LF or NUL in it.
    """
    name = _checked_name(name)
    if _VALUE_REFUSED.search(value):
        raise ChangeRefused(f"the value of header `{name}` has CR, LF or NUL in it")
    return name


@lru_cache(maxsize=512)  # stages set the same few names again and again
def _checked_name(name: str) -> str:
    name = name.lower()
    if not _NAME.fullmatch(name):
        raise ChangeRefused(f"header name {name[:64]!r} is not allowed")
    if name in HOP_BY_HOP or name.startswith("x-envoy-"):
        raise ChangeRefused(f"header `{name}` belongs to the data plane")
    return name


class Overlay(Struct):
    """Header fields with changes on top. Written by one exchange; a copy is one hook's draft.

    touched  name -> its values after the changes, for the names that were changed
    """

    base: Headers
    touched: dict[str, tuple[str, ...]] = {}
    _headers: Headers | None = None
    _mutation: HeaderMutation | None = None

    def change(
        self,
        set_headers: Mapping[str, str],
        append_headers: Pairs = (),
        remove_headers: tuple[str, ...] = (),
    ) -> None:
        """Apply one hook's changes, removals first; all of them or none.

        Raises:
            ChangeRefused: see `checked`.
        """
        draft = dict(self.touched)
        for name in remove_headers:
            draft[checked(name)] = ()
        for name, value in set_headers.items():
            draft[checked(name, value)] = (value,)
        for name, value in append_headers:
            name = checked(name, value)
            draft[name] = (*self._values(name, draft), value)
        self.touched = draft
        self._forget()

    def strip(self, names: tuple[str, ...]) -> None:
        """Remove *names*, which need no check."""
        for name in names:
            self.touched[name] = ()
        if names:
            self._forget()

    def put(self, name: str, value: str) -> None:
        """Set a header that only the exchange itself may set, e.g. `content-length`."""
        self.touched[name] = (value,)
        self._forget()

    def headers(self) -> Headers:
        """Return the fields with all changes, untouched ones in their place."""
        if not self.touched:
            return self.base
        if self._headers is None:
            kept = [pair for pair in self.base.pairs if pair[0] not in self.touched]
            added = [(name, value) for name, values in self.touched.items() for value in values]
            self._headers = Headers((*kept, *added))
        return self._headers

    def exceeds(self, count_max: int) -> bool:
        """Return whether there are more than *count_max* fields with the changes, if any is."""
        if not self.touched:
            return False
        most = len(self.base) + sum(map(len, self.touched.values()))
        return most > count_max and len(self.headers()) > count_max

    def mutation(self) -> HeaderMutation:
        """Return the smallest mutation that turns the base into `headers()`."""
        if not self.touched:
            return NO_CHANGE
        if self._mutation is None:
            self._mutation = self._folded()
        return self._mutation

    def _folded(self) -> HeaderMutation:
        sets: list[tuple[str, str, bool]] = []
        removes: list[str] = []
        for name, values in self.touched.items():
            before = tuple(self.base.all(name)) if name in self.base else ()
            if values == before:
                continue
            kept = len(before) if before and values[: len(before)] == before else 0
            # Overwriting replaces one field only, so several are removed first.
            if not kept and (not values or len(before) > 1):
                removes.append(name)
            sets += [(name, value, at > 0) for at, value in enumerate(values) if at >= kept]
        return HeaderMutation(tuple(sets), tuple(removes))

    def _forget(self) -> None:
        self._headers = self._mutation = None

    def _values(self, name: str, draft: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
        return draft[name] if name in draft else tuple(self.base.all(name))
