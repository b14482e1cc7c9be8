"""What a pool says of single endpoints: their names, zones, roles and labels."""

import re
from collections.abc import Sequence

from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.serving import Member
from headrace.dsl.syntax.declarations import EndpointSaid
from headrace.dsl.syntax.tree import Word

LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
LABELS_MAX = 64  # as the language bounds `endpoint.labels`
TEXT_CHARS_MAX = 63
Labels = Sequence[tuple[Word, Word]]


def described(members: Sequence[EndpointSaid], problems: Problems) -> tuple[Member, ...]:
    """Return what is said of each of *members*."""
    seen: dict[str, Word] = {}
    for member in members:
        if member.name is None:
            continue
        first = seen.setdefault(member.name.text, member.name)
        if first is not member.name:
            related = (Related(first.span, "first time"),)
            message = f"two endpoints of one pool are named `{member.name.text}`"
            help_ = "a trace and a session could not tell them apart"
            problems.add("S207", member.name.span, message, "second time", help_, related)
    return tuple(_member(member, problems) for member in members)


def distinct(labels: Labels, verb: str, problems: Problems) -> None:
    """Report a label that is twice in one *verb*, and values that are none."""
    seen: dict[str, Word] = {}
    for name, value in labels:
        first = seen.setdefault(name.text, name)
        if first is not name:
            related = (Related(first.span, "first time"),)
            message = f"the label `{name.text}` is twice in one `{verb}`"
            problems.add("S207", name.span, message, "second time", "keep one of them", related)
        if not LABEL_VALUE.fullmatch(value.text):
            help_ = "at most 63 letters, digits, `-`, `_` and `.`, as in Kubernetes"
            problems.add("S218", value.span, "this is not the value of a label", "", help_)


def _member(said: EndpointSaid, problems: Problems) -> Member:
    distinct(said.labels, "labels", problems)
    if len(said.labels) > LABELS_MAX:
        span = said.labels[LABELS_MAX][0].span
        problems.add("S218", span, f"an endpoint has at most {LABELS_MAX} labels", "one too many")
    for word in (said.name, said.zone, said.role):
        if word and not (0 < len(word.text) <= TEXT_CHARS_MAX and word.text.isprintable()):
            message = f"`{word.text[:TEXT_CHARS_MAX]}` is not a name"
            problems.add("S218", word.span, message, "", f"1 to {TEXT_CHARS_MAX} characters")
    return Member(
        said.address.text,
        said.name.text if said.name else said.address.text,
        said.zone.text if said.zone else "",
        said.role.text if said.role else "",
        tuple((name.text, value.text) for name, value in said.labels),
    )
