"""Where the text is in a kind of JSON body, as rules that are data, and how they are read.

A rule says of a value whether it is text, holds text, or never is text. Rules are read in
one of two ways. *Strict*, for what a model writes: a string that no rule speaks of is a text
of its own, so that nothing passes a guard unread. Lenient, for what a client asks: a field
that no rule speaks of is left out, as model servers do with fields they do not know.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from headrace.extensions.texts.doubled import is_doubled
from headrace.extensions.texts.names import ROLES, is_plain
from headrace.extensions.texts.values import Path, Said, Unreadable

ITEM_BITS = 10  # of a channel's item: below them is which part of the item
FIELD_CHARS_MAX = 64  # of the name of a field that no rule speaks of
SUMMARIES = 1 << (ITEM_BITS - 1)  # the parts from here on are of a summary
# What a role says of prose.
_SAID: Mapping[str, Said] = {
    "system": Said.SYSTEM,
    "developer": Said.SYSTEM,
    "tool": Said.TOOL_RESULT,
    "function": Said.TOOL_RESULT,
    "tools": Said.TOOLS,
}
# Fields that tell what, which, when or why, in closed words, numbers or opaque bytes.
SAFE_NAMES = frozenset(
    (
        "type", "object", "role", "status", "phase", "model", "modelVersion", "provider",
        "id", "item_id", "call_id", "tool_call_id", "tool_use_id", "response_id", "request_id",
        "previous_response_id", "container", "file_id", "deployedModelId", "model_version_id",
        "created", "created_at", "completed_at", "expires_at",
        "finish_reason", "native_finish_reason", "stop_reason", "stop_sequence", "matched_stop",
        "incomplete_details", "usage", "system_fingerprint", "service_tier", "kv_transfer_params",
        "logprobs", "prompt_logprobs", "signature", "encrypted_content", "obfuscation",
        # What SGLang, Dynamo, TensorRT-LLM and llama.cpp add of themselves.
        "metadata", "sglext", "nvext", "disaggregated_params", "timings", "mm_embedding_handle",
    )
)  # fmt: skip
Json = Any  # a decoded JSON value


class At(Struct, frozen=True):
    """Where a reader stands, beside its path: whose text it is and which channel it is of."""

    role: str = ""
    turn: int = 0
    choice: int = 0
    item: int = 0
    repeats: bool = False


class Found(Struct, frozen=True):
    """One text, where it stands, and whose it is."""

    said: Said
    text: str
    path: Path
    at: At
    field: str = ""
    whole: bool = True


class Reader(Struct):
    """Collects what one body says. Written by the rules that read it.

    blobs  what is there beside text, and before which of the texts
    """

    strict: bool
    found: list[Found] = []
    blobs: list[tuple[int, Json]] = []

    def note(self, said: Said, value: Json, path: Path, at: At, field: str = "") -> None:
        """Note *value* as text: a string as it is, else as compact JSON; nothing for nothing."""
        if isinstance(value, str):
            self.found.append(Found(said, value, path, at, field))
        elif isinstance(value, dict | list) and value:
            text = msgspec.json.encode(value).decode()
            self.found.append(Found(said, text, path, at, field, False))


class Rule(Protocol):
    """Says where the text is in a value that is not null."""

    def read(self, value: Json, path: Path, at: At, reader: Reader) -> None:
        """Have *reader* note the texts of *value*, which stands at *path*."""
        ...


@dataclass(frozen=True, slots=True)
class Safe:
    """The value is never text, whatever it is."""

    def read(self, value: Json, path: Path, at: At, reader: Reader) -> None:
        """Note nothing."""


@dataclass(frozen=True, slots=True)
class Blob:
    """The value is a picture, a sound or a file, or names one."""

    def read(self, value: Json, path: Path, at: At, reader: Reader) -> None:
        """Keep the value beside the texts."""
        reader.blobs.append((len(reader.found), value))


@dataclass(frozen=True, slots=True)
class Text:
    """The value is text. *field* tells it from another one beside it; *role* is whose it is."""

    said: Said = Said.PROSE
    field: str = ""
    role: str = ""

    def read(self, value: Json, path: Path, at: At, reader: Reader) -> None:
        """Note the value, one that is no string as JSON."""
        if self.role:
            at = replace(at, role=self.role)
        said = _SAID.get(at.role, self.said) if self.said is Said.PROSE else self.said
        reader.note(said, value, path, at, self.field)


@dataclass(frozen=True, slots=True)
class Leaves:
    """Every string in the value is text, at any depth."""

    said: Said = Said.PROSE

    def read(self, value: Json, path: Path, at: At, reader: Reader) -> None:
        """Note each string by itself."""
        if isinstance(value, str):
            reader.note(self.said, value, path, at)
        for step, below in steps_of(value):
            _note_name(step, at, reader)
            self.read(below, (*path, step), at, reader)


@dataclass(frozen=True, slots=True)
class Either:
    """A string is text; anything else is as *other* says."""

    text: Text
    other: Rule
    role: str = ""

    def read(self, value: Json, path: Path, at: At, reader: Reader) -> None:
        """Note a string, or let *other* read."""
        if self.role:
            at = replace(at, role=self.role)
        rule = self.text if isinstance(value, str) else self.other
        rule.read(value, path, at, reader)


@dataclass(frozen=True, slots=True)
class OneOrMany:
    """The value is as *of* says, or a list of such. *into* is as of `Many`."""

    of: Rule
    into: str = ""

    def read(self, value: Json, path: Path, at: At, reader: Reader) -> None:
        """Let *of* read the value, or each element."""
        rule = Many(self.of, self.into) if is_list(value) else self.of
        rule.read(value, path, at, reader)


@dataclass(frozen=True, slots=True)
class Many:
    """The value is a list; each element is as *of* says.

    into  what its number counts: ``turn``, ``choice``, ``item``, ``part`` or ``summary`` of an
          item; empty: nothing
    by    the field of an element that has its number; without it, its place in the list
    """

    of: Rule
    into: str = ""
    by: str = ""

    def read(self, value: Json, path: Path, at: At, reader: Reader) -> None:
        """Let *of* read each element."""
        if not is_list(value):
            Text().read(value, path, at, reader)
            return
        for place, element in enumerate(value):
            if element is not None:
                number = place
                if self.by and is_object(element):
                    number = _number(element, self.by, place)
                self.of.read(element, (*path, place), _moved(at, self.into, number), reader)


@dataclass(frozen=True, slots=True)
class Fields:
    """The value is an object; *known* says what its fields are.

    indexes   fields that number the item and its part, for events that say where they belong
    repeats   its texts are whole ones, of which pieces may have come before
    """

    known: Mapping[str, Rule]
    indexes: tuple[str, ...] = ()
    repeats: bool = False

    def read(self, value: Json, path: Path, at: At, reader: Reader) -> None:
        """Let the rules of its fields read them."""
        if not is_object(value):
            Text().read(value, path, at, reader)
            return
        at = self._at(value, at)
        if reader.strict:
            self._all(value, path, at, reader)
            return
        if at.role not in ROLES and value.get("role") == at.role:
            reader.note(Said.PROSE, at.role, (*path, "role"), at, "role")
        for name, rule in self.known.items():
            below = value.get(name)
            if below is not None:
                rule.read(below, (*path, name), at, reader)

    def _all(self, fields: dict[str, Json], path: Path, at: At, reader: Reader) -> None:
        for name, below in fields.items():
            rule = self.known.get(name)
            if rule is not None:
                if below is not None:
                    rule.read(below, (*path, name), at, reader)
            elif name not in SAFE_NAMES:
                _note_name(name, at, reader, name[:FIELD_CHARS_MAX])
                _note_leaves(below, (*path, name), at, reader, name[:FIELD_CHARS_MAX])

    def _at(self, fields: dict[str, Json], at: At) -> At:
        role = fields.get("role")
        if role is None and at.role and fields.get("type") == "reasoning":
            role = "assistant"  # the only item of the responses API that says no role and has prose
        if isinstance(role, str) and role and role != at.role:
            at = replace(at, role=role)
        if self.repeats and not at.repeats:
            at = replace(at, repeats=True)
        for name in self.indexes:
            number = _number(fields, name, 0)
            at = _moved(at, _COUNTS[name], number)
        return at


def _note_name(name: str | int, at: At, reader: Reader, field: str = "") -> None:
    """Note the *name* of an unknown field if it may say something; it cannot be replaced."""
    if isinstance(name, str) and not is_plain(name):
        reader.found.append(Found(Said.PROSE, name, (), at, field, False))


def _note_leaves(value: Json, path: Path, at: At, reader: Reader, field: str) -> None:
    """Note every string in *value*, of which nothing is known, as a text of the field's own."""
    if isinstance(value, str):
        reader.note(Said.PROSE, value, path, at, field)
        return
    for step, below in steps_of(value):
        _note_name(step, at, reader, field)
        _note_leaves(below, (*path, step), at, reader, field)


@dataclass(frozen=True, slots=True)
class Kinds:
    """The value is an object; what it is, its `type` says. *other* is for a type not listed."""

    of: Mapping[str, Rule]
    other: Rule

    def read(self, value: Json, path: Path, at: At, reader: Reader) -> None:
        """Let the rule of its type read it."""
        kind = value.get("type") if is_object(value) else None
        rule = self.of.get(kind, self.other) if isinstance(kind, str) else self.other
        rule.read(value, path, at, reader)


@dataclass(frozen=True, slots=True)
class Ids:
    """The value is text as numbers of tokens, which nobody here can read."""

    def read(self, value: Json, path: Path, at: At, reader: Reader) -> None:
        """Note nothing of no tokens.

        Raises:
            Unreadable: there are any.
        """
        if value not in ([], {}):
            raise Unreadable("the answer has its text as token ids")


_COUNTS: Mapping[str, str] = {
    "index": "item",
    "output_index": "item",
    "content_index": "part",
    "summary_index": "summary",
}


def read(rule: Rule, value: Json, strict: bool, at: At) -> list[Found]:
    """Return the texts of *value* by *rule*.

    Raises:
        Unreadable: it has text that nobody can read, or nests too deeply.
    """
    return read_all(rule, value, strict, at).found


def read_all(rule: Rule, value: Json, strict: bool, at: At) -> Reader:
    """Return what is in *value* by *rule*, what is no text too. Raises as `read`."""
    reader = Reader(strict)
    try:
        if value is not None:
            rule.read(value, (), at, reader)
    except RecursionError as error:
        raise Unreadable("it nests too deeply") from error
    return reader


def decoded(data: bytes | msgspec.Raw) -> Json:
    """Return the JSON value in *data*.

    Raises:
        Unreadable: it is malformed, or its text is no UTF-8.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable("it is malformed JSON") from error
    except RecursionError as error:
        raise Unreadable("it nests too deeply") from error


def single(data: bytes) -> Json:
    """Return the JSON value in *data*, in which no object has a name twice.

    Raises:
        Unreadable: one has, or it is malformed, or its text is no UTF-8.
    """
    value = decoded(data)
    if is_doubled(data, value):
        raise Unreadable("a name stands twice in one object")
    return value


def is_object(value: Json) -> TypeGuard[dict[str, Json]]:
    """Return whether *value* is a JSON object."""
    return isinstance(value, dict)


def is_list(value: Json) -> TypeGuard[list[Json]]:
    """Return whether *value* is a JSON list."""
    return isinstance(value, list)


def steps_of(value: Json) -> Iterable[tuple[str | int, Json]]:
    """Return what is one step below *value*, by the names of its fields or its places."""
    if is_object(value):
        return value.items()
    return enumerate(value) if is_list(value) else ()


def _number(fields: dict[str, Json], name: str, usual: int) -> int:
    number = fields.get(name)
    return number if isinstance(number, int) else usual


def _moved(at: At, into: str, number: int) -> At:
    """Return *at* with the count *into* moved to *number*."""
    match into:
        case "turn":
            return at if at.turn == number else replace(at, turn=number)
        case "choice":
            return at if at.choice == number else replace(at, choice=number)
        case "item":
            item = number << ITEM_BITS
        case "part":
            item = at.item + number
        case "summary":
            item = at.item + SUMMARIES + number
        case _:
            return at
    return at if item == at.item else replace(at, item=item)
