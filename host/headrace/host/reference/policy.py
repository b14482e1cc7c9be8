"""A policy's own definitions, each with the comment that stands above it."""

from collections.abc import Mapping, Sequence

from headrace.dsl.effective import DEFAULT, Section
from headrace.dsl.program import Program, Rule
from headrace.dsl.source import Source
from headrace.host.reference.page import Table

_PLURALS = {
    "pool": "Pools", "model": "Models", "objective": "Objectives", "class": "Classes",
    "let": "Lets", "filter": "Filters", "scorer": "Scorers", "cost": "Costs",
    "profile": "Profiles", "overload": "Overloads", "guard": "Guards", "safety": "Safety",
    "trust": "Trust", "trace": "Traces", "stage": "Stages", "chain": "Chains", "test": "Tests",
}  # fmt: skip
_RULES = frozenset(("filter", "scorer", "cost", "let"))


def definitions(
    sections: Sequence[Section], program: Program, sources: Sequence[Source]
) -> tuple[Table, ...]:
    """Return a table for each kind of block that the policy has."""
    by_name = {source.name: source for source in sources}
    rules = {rule.name: rule for rule in program.rules}
    return tuple(_table(kind, sections, rules, by_name) for kind in _PLURALS)


def _table(
    kind: str,
    sections: Sequence[Section],
    rules: Mapping[str, Rule],
    sources: Mapping[str, Source],
) -> Table:
    found = [section for section in sections if section.kind == kind]
    is_rule = kind in _RULES
    rows = [
        (
            ", ".join(section.names),
            *((_type(section, rules),) if is_rule else ()),
            _says(section),
            _comment(section, sources),
            section.head.origin,
        )
        for section in found
    ]
    columns = ("name", *(("type",) if is_rule else ()), "says", "comment", "where")
    codes = frozenset({"name", "says"})
    return Table(_PLURALS[kind], "", columns, tuple(rows), codes)


def _type(section: Section, rules: Mapping[str, Rule]) -> str:
    rule = rules.get(section.names[0])
    return str(rule.typed.type) if rule is not None and rule.typed is not None else ""


def _says(section: Section) -> str:
    """Return the block on one line, without the word and the name that open it."""
    text = section.head.text.partition(" = ")[2] if section.kind in _RULES else ""
    lines = [line.text for line in section.lines or ()]
    when = section.head.text.partition(" when ")[2]
    return text or "; ".join([*([f"when {when}"] if when else []), *lines])


def _comment(section: Section, sources: Mapping[str, Source]) -> str:
    """Return the comment that ends on the line above the block."""
    name, _, line = section.head.origin.rpartition(":")
    source = sources.get(name)
    if section.head.origin == DEFAULT or source is None:
        return ""
    found: list[str] = []
    for number in range(int(line) - 1, 0, -1):
        text = source.line(number).strip()
        if not text.startswith("#"):
            break
        found.append(text.lstrip("#").strip())
    return " ".join(reversed(found)).strip()
