"""Reads what the API server sends: pages of lists, lines of watches, and errors. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw, Struct

MESSAGE_CHARS_MAX = 300
GONE = 410


class Unreadable(Exception):
    """What came is not what an API server sends. The message says what is wrong."""


class Meta(Struct, rename="camel"):
    """The metadata of an object, as far as they matter here."""

    name: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


class Object(Struct):
    """An object; what its kind has is still unread."""

    metadata: Meta
    spec: Raw = Raw(b"null")
    data: Raw = Raw(b"null")
    binary_data: Raw = msgspec.field(default=Raw(b"null"), name="binaryData")
    status: Raw = Raw(b"null")

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return self.metadata.labels or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        """Its annotations."""
        return self.metadata.annotations or {}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request came to nothing.

    status         of HTTP; 0 if there was no answer
    retry_after_s  how long the server asks to be left alone
    absent         whether nobody was there to answer
    """

    status: int
    message: str
    retry_after_s: float = 0.0
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. *token* asks for the next one; empty: this is the last.

    flawed  how many of it could not be read at all
    """

    version: str
    objects: tuple[Object, ...]
    token: str = ""
    flawed: int = 0


@dataclass(frozen=True, slots=True)
class Put:
    """An object is there, or is another than it was."""

    object: Object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deleted:
    """An object is there no more, or none of those asked for."""

    object: Object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Nothing else has changed up to *version*."""

    version: str


Event = Put | Deleted | Bookmark | Fault


class _PageMeta(Struct, rename={"resource_version": "resourceVersion", "token": "continue"}):
    resource_version: str = ""
    token: str | None = None


class _Page(Struct):
    metadata: _PageMeta
    items: list[Raw] | None = None


class _Line(Struct):
    type: str
    object: Raw


class _Details(Struct, rename="camel"):
    retry_after_seconds: float = 0.0


class _Status(Struct):
    message: str = ""
    reason: str = ""
    code: int = 0
    details: _Details | None = None


_OBJECT = msgspec.json.Decoder(Object)
_PAGE = msgspec.json.Decoder(_Page)
_LINE = msgspec.json.Decoder(_Line)
_STATUS = msgspec.json.Decoder(_Status)


def read_page(octets: bytes) -> Page:
    """Return the page in *octets*.

    Raises:
        Unreadable: it is none.
    """
    try:
        page = _PAGE.decode(octets)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Unreadable(f"a list that cannot be read: {error}") from error
    if not page.metadata.resource_version:
        raise Unreadable("a list without a resourceVersion")
    found = [_object(raw) for raw in page.items or ()]
    objects = tuple([one for one in found if one is not None])
    token = page.metadata.token or ""
    return Page(page.metadata.resource_version, objects, token, len(found) - len(objects))


def read_line(line: bytes) -> Event:
    """Return the event in one *line* of a watch.

    Raises:
        Unreadable: it is none.
    """
    try:
        said = _LINE.decode(line)
        if said.type == "ERROR":
            return _fault(said.object)
        found = _OBJECT.decode(said.object)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Unreadable(f"an event that cannot be read: {error}") from error
    version = found.metadata.resource_version
    if not version:
        raise Unreadable("an event without a resourceVersion")
    match said.type:
        case "BOOKMARK":
            return Bookmark(version)
        case "ADDED" | "MODIFIED" if found.metadata.name:
            return Put(found)
        case "DELETED" if found.metadata.name:
            return Deleted(found)
        case _:
            raise Unreadable(f"an event of type `{said.type[:32]}`")


def read_fault(status: int, octets: bytes, retry_after: str = "") -> Fault:
    """Return the fault that an answer of *status* tells; *retry_after* is its header."""
    told = _told(octets)
    message = told.message or octets[:MESSAGE_CHARS_MAX].decode("utf-8", "replace").strip()
    asked_s = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
    if told.details is not None:
        asked_s = max(asked_s, told.details.retry_after_seconds)
    return Fault(status, f"HTTP {status}: {message[:MESSAGE_CHARS_MAX]}", asked_s)


def _fault(raw: Raw) -> Fault:
    told = _STATUS.decode(raw)
    asked_s = told.details.retry_after_seconds if told.details else 0.0
    return Fault(told.code, (told.message or told.reason)[:MESSAGE_CHARS_MAX], asked_s)


def _told(octets: bytes) -> _Status:
    try:
        return _STATUS.decode(octets)
    except (msgspec.MsgspecError, UnicodeError):
        return _Status()


def _object(raw: Raw) -> Object | None:
    try:
        found = _OBJECT.decode(raw)
    except (msgspec.MsgspecError, UnicodeError):
        return None
    return found if found.metadata.name else None
