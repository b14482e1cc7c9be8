"""Settings read by name and type, with a note of what nobody asked for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from headrace.host.importer.document import Atom, ImportFault, Listing, Mapping, Scalar, Value

_ELLIPSIS = re.compile(r"\.{2,}|…")  # as examples have it where something is left out
_EMPTY = Mapping({}, {}, 0)


@dataclass(slots=True)
class Settings:
    """A mapping of which each reader takes what it knows. Written while one file is imported.

    where    what the settings are of, for messages
    asked    the names that somebody has asked for
    inner    the settings inside these, by path
    elided   what is an ellipsis, by path, with its line
    """

    where: str
    mapping: Mapping = _EMPTY
    asked: set[str] = field(default_factory=set[str])
    inner: dict[str, "Settings"] = field(default_factory=dict[str, "Settings"])
    elided: dict[str, int] = field(default_factory=dict[str, int])

    def line(self, key: str) -> int:
        """Return the line at which *key* stands, or the mapping's own."""
        return self.mapping.lines.get(key, self.mapping.line)

    def has(self, key: str) -> bool:
        """Return whether *key* is given and not null."""
        found = self.mapping.entries.get(key)
        if isinstance(found, Scalar) and _ELLIPSIS.fullmatch(str(found.value)):
            self.elided[key] = self.line(key)
            return False
        return found is not None and not (isinstance(found, Scalar) and found.value is None)

    def number(self, key: str, default: float) -> float:
        """Return a number."""
        value = self._atom(key, "a number")
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, "a number")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self._atom(key, "`true` or `false`")
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self._wrong(key, "`true` or `false`")
        return value

    def text(self, key: str, default: str = "") -> str:
        """Return a text; a number or a flag as it is written."""
        value = self._atom(key, "a text")
        if value is None:
            return default
        return str(value).lower() if isinstance(value, bool) else str(value)

    def section(self, key: str) -> "Settings":
        """Return the mapping under *key*, empty if there is none."""
        self.asked.add(key)
        if key not in self.inner:
            found = self.mapping.entries.get(key)
            if not self.has(key):
                found = _EMPTY
            if not isinstance(found, Mapping):
                raise self._wrong(key, "a mapping")
            self.inner[key] = Settings(f"{self.where}: `{key}`", found)
        return self.inner[key]

    def items(self, key: str) -> tuple[Value, ...]:
        """Return the list under *key*, empty if there is none."""
        self.asked.add(key)
        if not self.has(key):
            return ()
        found = self.mapping.entries[key]
        if not isinstance(found, Listing):
            raise self._wrong(key, "a list")
        return found.items

    def sections(self, key: str) -> list["Settings"]:
        """Return the mappings listed under *key*."""
        found: list[Settings] = []
        for i, item in enumerate(self.items(key)):
            if isinstance(item, Scalar) and _ELLIPSIS.fullmatch(str(item.value)):
                self.elided[f"{key}[{i}]"] = item.line
                continue
            if not isinstance(item, Mapping):
                raise ImportFault(f"{self.where}: `{key}` is a list of mappings", item.line)
            label = f"{key}[{i}]"
            if label not in self.inner:
                self.inner[label] = Settings(f"{self.where}: `{key}`", item)
            found.append(self.inner[label])
        return found

    def texts(self, key: str) -> list[str]:
        """Return the texts listed under *key*."""
        found: list[str] = []
        for item in self.items(key):
            if not isinstance(item, Scalar) or item.value is None:
                raise ImportFault(f"{self.where}: `{key}` is a list of texts", item.line)
            found.append(str(item.value))
        return found

    def ignore(self, *keys: str) -> None:
        """Note that *keys* are known and need nothing."""
        self.asked.update(keys)

    def unread(self) -> Iterator[tuple[str, int]]:
        """Yield every setting that nobody asked for, as a path, with its line."""
        for key in self.mapping.entries:
            if key not in self.asked:
                yield key, self.line(key)
        for name, settings in self.inner.items():
            yield from ((f"{name}.{path}", line) for path, line in settings.unread())

    def left_out(self) -> Iterator[tuple[str, int]]:
        """Yield every place where the configuration has an ellipsis, as a path, with its line."""
        yield from self.elided.items()
        for name, settings in self.inner.items():
            yield from ((f"{name}.{path}", line) for path, line in settings.left_out())

    def _atom(self, key: str, kind: str) -> Atom:
        self.asked.add(key)
        found = self.mapping.entries.get(key)
        if found is None:
            return None
        if not isinstance(found, Scalar):
            raise self._wrong(key, kind)
        return found.value

    def _wrong(self, key: str, kind: str) -> ImportFault:
        return ImportFault(f"{self.where}: `{key}` has to be {kind}", self.line(key))
