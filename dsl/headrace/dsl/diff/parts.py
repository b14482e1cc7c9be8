"""Two policies as what can be compared: blocks by kind and name, facts by label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from headrace.dsl.effective import Fact, Section

# Said once and of no value of their own: there or not there.
_PRESENT = frozenset(("listed", "yes", "used", "believed"))
# What a label names -> the kinds of blocks that it may mean.
_MEANT = {
    "weight of ": ("scorer", "cost"),
    "power of ": ("scorer",),
    "tolerance of ": ("scorer",),
    "require ": ("filter",),
    "prefer ": ("filter",),
    "share of ": ("pool",),
    "mirror of ": ("pool",),
}
_REFERS = {
    "profile": ("profile",),
    "else": ("profile",),
    "also pick prefill by": ("profile",),
    "also pick encode by": ("profile",),
    "rank by": ("scorer",),
    "objective": ("objective",),
    "adapter of": ("pool",),
    "pools": ("pool",),
    "stages": ("stage",),
    "order of prefer": ("filter",),
    "order of route": ("pool",),
    "order of mirror": ("pool",),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A block under one of its names. *place* is its origin."""

    kind: str
    name: str
    facts: Mapping[str, Fact]
    place: str
    places: Mapping[str, str]

    @property
    def of(self) -> str:
        """What it is called."""
        return f"{self.kind} `{self.name}`" if not self.name.startswith("#") else self._numbered

    @property
    def _numbered(self) -> str:
        return self.kind if self.name == "#1" else f"{self.kind} {self.name[1:]}"


Parts = dict[tuple[str, str], Part]


def parts(sections: Sequence[Section]) -> Parts:
    """Return the blocks of a policy, in their order; unnamed ones are numbered by kind."""
    found: Parts = {}
    counts: dict[str, int] = {}
    for section in sections:
        names = section.names
        if not names:
            counts[section.kind] = counts.get(section.kind, 0) + 1
            names = (f"#{counts[section.kind]}",)
        facts = section.facts if section.kind != "test" else _test(section)
        lines = (section.head, *(section.lines or ()))
        places = {fact.label: line.origin for line in lines for fact in line.facts}
        for name in names:
            part = Part(section.kind, name, facts, section.head.origin, places)
            found.setdefault((section.kind, name), part)
    return found


def _test(section: Section) -> Mapping[str, Fact]:
    """Return a test as one fact: it is compared as it is written."""
    text = "\n".join(line.text for line in section.lines or ())
    return {"case": Fact("case", text, "")}


def without_names(part: Part) -> tuple[tuple[str, str], ...]:
    """Return what *part* says, for who looks for it under another name."""
    return tuple(sorted((fact.label, fact.value) for fact in part.facts.values()))


def renamed(part: Part, kind: str, old: str, new: str) -> Part:
    """Return *part* as it would be if the *kind* of name *old* were called *new*."""
    facts = [_renamed(fact, kind, old, new) for fact in part.facts.values()]
    places = {
        after.label: part.places.get(before.label, "")
        for before, after in zip(part.facts.values(), facts, strict=True)
    }
    return replace(part, facts={fact.label: fact for fact in facts}, places=places)


def _renamed(fact: Fact, kind: str, old: str, new: str) -> Fact:
    for start, kinds in _MEANT.items():
        rest = fact.label.removeprefix(start)
        if kind in kinds and fact.label.startswith(start) and rest.startswith(f"`{old}`"):
            label = f"{start}`{new}`{rest.removeprefix(f'`{old}`')}"
            return replace(fact, label=label)
    if kind in _REFERS.get(fact.label, ()):
        value = fact.value.replace(repr(old), repr(new)).replace(f"`{old}`", f"`{new}`")
        return replace(fact, value=value, shown=fact.shown.replace(f"`{old}`", f"`{new}`"))
    if kind == "let":
        value = fact.value.replace(f"Name(text={old!r},", f"Name(text={new!r},")
        return replace(fact, value=value)
    return fact


def shown(fact: Fact) -> str:
    """Return the value of *fact* for people; empty if it says no more than that it is there."""
    return "" if fact.value.strip("'") in _PRESENT else fact.shown
