"""What a guard says of whom it asks, and a test of what a guard finds, as written."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headrace.dsl.source import Span
from headrace.dsl.syntax.tree import Number, Word, Written

if TYPE_CHECKING:
    from headrace.dsl.syntax.declarations import Said


@dataclass(frozen=True, slots=True)
class TemplateSaid:
    """`template "NAME" [for MODEL, MODEL]`."""

    name: Word
    models: tuple[Word, ...]
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class HeaderSaid:
    """`header "NAME" "VALUE"`, or if *from_env* `header "NAME" from env "VALUE" [prefix "P"]`."""

    name: Word
    value: Word
    span: Span = field(repr=False)
    from_env: bool = False
    prefix: Word | None = None


@dataclass(frozen=True, slots=True)
class ProviderSaid:
    """`NAME VALUE, VALUE [for WORD, WORD]` of a provider; each value as a setting of its own."""

    name: Word
    values: "tuple[Said, ...]"
    of: tuple[Word, ...]
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class AskSaid:
    """`ask PROVIDER ["URL"] { ... }`. *readings*: ``match category text`` -> what is computed."""

    provider: Word
    url: Word | None
    span: Span = field(repr=False)
    templates: tuple[TemplateSaid, ...] = ()
    response_templates: tuple[TemplateSaid, ...] = ()
    headers: tuple[HeaderSaid, ...] = ()
    settings: tuple[ProviderSaid, ...] = ()
    readings: tuple[tuple[str, Written], ...] = ()


@dataclass(frozen=True, slots=True)
class WindowSaid:
    """`window SIZE UNIT [, overlap N]`."""

    size: Number
    unit: Word
    overlap: Number | None
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class CacheSaid:
    """`cache for DURATION [, at most N]`."""

    keep: Number
    entries: Number | None
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class BreakerSaid:
    """`break after N failures for DURATION`."""

    failures: Number
    pause: Number
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class GuardGiven:
    """`given guard NAME finds "WHAT"` or `given guard NAME fails HOW`, `in DIRECTION` if said."""

    guard: Word
    finds: tuple[Word, ...]
    fails: Word | None
    direction: Word | None
    span: Span = field(repr=False)
