"""HTTP headers as a stage sees them: ordered, duplicates kept, names lower case."""

from collections.abc import Iterable, Iterator

Pairs = tuple[tuple[str, str], ...]


class Headers:
    """An immutable list of header fields with look-up by name.

    Names are lower case. Values are text; bytes that are not UTF-8 are kept by
    ``surrogateescape`` and come out again exactly (see `value_bytes`).
    """

    __slots__ = ("_index", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs: Pairs = tuple(pairs)
        self._index: dict[str, str] | None = None

    def _indexed(self) -> dict[str, str]:
        # The last of equal keys wins in a dict, so it is built from the end.
        index = self._index = dict(reversed(self.pairs))
        return index

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of *name* (lower case), or *default*."""
        index = self._index
        return (self._indexed() if index is None else index).get(name, default)

    def first(self, names: Iterable[str]) -> str:
        """Return the first value of the first of *names* that has one; empty if none has."""
        index = self._index
        if index is None:
            index = self._indexed()
        for name in names:
            found = index.get(name)
            if found:
                return found
        return ""

    def all(self, name: str) -> list[str]:
        """Return every value of *name*, in order."""
        return [v for n, v in self.pairs if n == name]

    def __contains__(self, name: object) -> bool:
        index = self._index
        return name in (self._indexed() if index is None else index)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Headers({', '.join(n for n, _ in self.pairs)})"  # values may be secrets


EMPTY = Headers()


def value_text(raw: bytes) -> str:
    """Return a header value as text; `value_bytes` is its exact inverse."""
    return raw.decode("utf-8", "surrogateescape")


def value_bytes(value: str) -> bytes:
    """Return the bytes of a header value."""
    return value.encode("utf-8", "surrogateescape")
