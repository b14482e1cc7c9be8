"""What the stages before and behind the picker record for observers. Never a prompt or a body."""

from dataclasses import dataclass

from msgspec import Struct


@dataclass(frozen=True, slots=True)
class RuleError:
    """A rule failed on the values of a request. *rule*: what it is and its name; *kind*: why."""

    rule: str
    kind: str


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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guard found. *finding*: which of its patterns, from 0, or ``token-ids``.

    action  ``block`` or ``log``
    """

    guard: str
    finding: str
    action: str


class Usage(Struct, frozen=True):
    """What a model server counted for one answer. None: it did not say."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
