"""YAML as values that know their line: bounded, and only what a configuration needs.

Nothing is constructed from tags, no key may come twice, and aliases may not multiply.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

NODES_MAX = 20_000  # aliases counted as often as they stand; the largest known file has 300
DEPTH_MAX = 40

Atom = bool | int | float | str | None


class ImportFault(Exception):
    """The input cannot be imported: what is wrong, and the line, from 1; 0 for the whole file."""

    def __init__(self, message: str, line: int = 0) -> None:
        self.message, self.line = message, line
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. *text_line* is where its text begins, if it is a block of text."""

    value: Atom
    line: int
    text_line: int = 0
    size: int = 1


@dataclass(frozen=True, slots=True)
class Listing:
    """Values in order."""

    items: tuple["Value", ...]
    line: int
    size: int = 1


@dataclass(frozen=True, slots=True)
class Mapping:
    """Values by name, in order; *lines* has where each name stands."""

    entries: dict[str, "Value"]
    lines: dict[str, int]
    line: int
    size: int = 1


Value = Scalar | Listing | Mapping

_NULL = re.compile(r"|~|null|Null|NULL")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9][0-9_]{0,30}|0x[0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]{1,3})?")
_TAGS = {"!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"}


def documents(text: str, first_line: int = 1) -> list[Value]:
    """Return the documents in *text*, which begins at line *first_line* of its file.

    Raises:
        ImportFault: it is not YAML, or more than a configuration may be.
    """
    composer = _Composer(first_line)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        line = first_line + (error.problem_mark.line if error.problem_mark else 0)
        problem = f"this is not YAML: {error.problem or error.context}"
        raise _told(ImportFault(problem, line), text, first_line) from error
    except ImportFault as fault:
        raise _told(fault, text, first_line) from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        reason = str(error).partition("\n")[0]
        raise ImportFault(f"this is not YAML: {reason}", first_line) from error
    return composer.done


def _told(fault: ImportFault, text: str, first_line: int) -> ImportFault:
    """Return *fault*, or that the text is a template if it looks like one at that place."""
    at = fault.line - first_line
    if not any("{{" in line for line in text.splitlines()[max(0, at - 2) : at + 1]):
        return fault
    return ImportFault("this is a template, not YAML: render it first: `helm template`", fault.line)


@dataclass(slots=True)
class _Open:
    """A list or mapping that is still being read. Written by the composer alone."""

    line: int
    anchor: str | None
    mapping: bool
    items: list[Value] = field(default_factory=list["Value"])
    key: str | None = None
    entries: dict[str, Value] = field(default_factory=dict[str, "Value"])
    lines: dict[str, int] = field(default_factory=dict[str, int])
    size: int = 1


@dataclass(slots=True)
class _Composer:
    """Builds values from parser events, without recursion. Written while one text is read."""

    first_line: int
    done: list[Value] = field(default_factory=list[Value])
    stack: list[_Open] = field(default_factory=list[_Open])
    anchors: dict[str, Value] = field(default_factory=dict[str, Value])

    def take(self, event: yaml.Event) -> None:
        """Add what *event* says."""
        assert event.start_mark is not None
        line = self.first_line + event.start_mark.line
        match event:
            case yaml.DocumentStartEvent():
                self.anchors.clear()
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._tag(event.tag, line)
                if len(self.stack) >= DEPTH_MAX:
                    raise ImportFault(f"it is nested more than {DEPTH_MAX} levels deep", line)
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                self.stack.append(_Open(line, event.anchor, is_mapping))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()
            case yaml.ScalarEvent():
                self._tag(event.tag, line)
                value = Scalar(_atom(event), line, line + 1 if event.style in ("|", ">") else 0)
                self._add(value, event.anchor, line)
            case yaml.AliasEvent():
                if event.anchor not in self.anchors:
                    raise ImportFault(f"`*{event.anchor}` stands inside what it repeats", line)
                self._add(self.anchors[event.anchor], None, line)
            case _:
                pass

    def _tag(self, tag: str | None, line: int) -> None:
        if tag is not None and tag not in _TAGS:
            raise ImportFault(f"the tag `{tag}` means nothing here: remove it", line)

    def _close(self) -> None:
        opened = self.stack.pop()
        value: Value
        if opened.mapping:
            value = Mapping(opened.entries, opened.lines, opened.line, opened.size)
        else:
            value = Listing(tuple(opened.items), opened.line, opened.size)
        self._add(value, opened.anchor, opened.line)

    def _add(self, value: Value, anchor: str | None, line: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = value
        if not self.stack:
            self.done.append(value)
            return
        into = self.stack[-1]
        into.size += value.size
        if into.size > NODES_MAX:
            message = f"it has more than {NODES_MAX} values, those repeated by aliases counted"
            raise ImportFault(message, line)
        if not into.mapping:
            into.items.append(value)
        elif into.key is None:
            into.key = self._key(value, into, line)
        else:
            into.entries[into.key] = value
            into.key = None

    def _key(self, value: Value, into: _Open, line: int) -> str:
        if not isinstance(value, Scalar):
            raise ImportFault("a name is a text, not a list or a mapping", line)
        name = str(value.value)
        if name == "<<":
            raise ImportFault("merging by `<<` is not read: write the settings out", line)
        if name in into.lines:
            raise ImportFault(f"`{name}` is given twice, first in line {into.lines[name]}", line)
        into.lines[name] = line
        return name


def _atom(event: yaml.ScalarEvent) -> Atom:
    """Return what a plain scalar means in YAML's core schema; a quoted one is a text."""
    text = event.value
    if not event.implicit[0] or event.style is not None:
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return bool(_TRUE.fullmatch(text))
    if _INT.fullmatch(text):
        return int(text.replace("_", ""), 16 if text.startswith("0x") else 10)
    return float(text) if _FLOAT.fullmatch(text) else text


def texts(value: Value) -> Iterator[Scalar]:
    """Yield every text in *value*, in order; what an alias repeats, once per place."""
    waiting: list[Value] = [value]
    while waiting:
        match waiting.pop():
            case Scalar() as scalar:
                if isinstance(scalar.value, str):
                    yield scalar
            case Listing(items):
                waiting += reversed(items)
            case Mapping(entries):
                waiting += reversed(entries.values())
