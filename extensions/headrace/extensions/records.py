"""What the stages before and behind the picker record for observers. Never a prompt or a body."""

from dataclasses import dataclass

from msgspec import Struct


@dataclass(frozen=True, slots=True)
class RuleError:
    """A rule failed on the values of a request. *rule*: what it is and its name; *kind*: why."""

    rule: str
    kind: str


class HandedOn(Struct, frozen=True):
    """The request went on to another role of this process, which reports how it ended."""


class ShareOf(Struct, frozen=True):
    """One target of a model's route; *share* is 0..1."""

    pool: str
    share: float


class Routing(Struct, frozen=True):
    """Where a request went and why.

    asked         the model as the client named it
    model         the policy's name for it, perhaps a pattern
    target        the name that the upstream is asked for
    classes       the classes that matched, in order
    objective     whose priority it would have without a class; empty if no objective's
    share_bucket  where the request fell in [0, 1), which the shares divide
    mirror        the pool that gets a copy of the request; empty if none does
    taken_over    whether another role has decided it, and this one believes it
    """

    asked: str
    model: str
    pool: str
    target: str
    adapter: str
    priority: int
    profile: str
    classes: tuple[str, ...]
    share_bucket: float
    shares: tuple[ShareOf, ...]
    objective: str = ""
    mirror: str = ""
    taken_over: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guard found first. *finding*: a word of its provider, e.g. which of its patterns.

    action  what was done about it: ``block``, ``redact``, ``mask`` or ``log``
    """

    guard: str
    finding: str
    action: str


class Guarded(Struct, frozen=True):
    """What a guard did in one direction of an exchange: the proof that it took effect, or why not.

    direction  ``prompt`` or ``response``
    state      ``applied``; ``skipped``: it had nothing to do; ``failed-open`` or ``failed-closed``:
               it had no verdict, and the policy let the text pass, or not
    reason     why it was not applied, or not to all: ``condition``, ``no-text``, ``ended-before``,
               ``passthrough``, ``partial``, ``media``, or the kind of trouble with its provider
    action     what was done about a finding: ``block``, ``redact``, ``mask``, ``log``; else empty
    findings   what was found, in words of the provider; never the text
    inspected_bytes  of text, as UTF-8, that it has judged
    delivered_bytes  of text that has gone on to the server, or to the client
    took_s     how long its verdicts took, of a guard that asks a provider
    text_hash  keyed hash of the text it has judged, in hex; the key is the host's secret
    """

    guard: str
    direction: str
    state: str
    reason: str = ""
    action: str = ""
    findings: tuple[str, ...] = ()
    inspected_bytes: int = 0
    delivered_bytes: int = 0
    took_s: float = 0.0
    text_hash: str = ""


class Usage(Struct, frozen=True):
    """What a model server counted for one answer. None: it did not say."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
