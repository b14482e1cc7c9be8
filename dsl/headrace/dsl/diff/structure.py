"""What two policies say differently: blocks added, removed, renamed, moved, and what changed."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from headrace.dsl.diff.change import Change
from headrace.dsl.diff.parts import Part, Parts, parts, renamed, shown, without_names
from headrace.dsl.effective import Section

# Of these the first that holds decides, so their order is part of what they say.
ORDERED = ("class", "guard", "overload")
# Names are found again in this order: what is named by others comes before them.
_KINDS = (
    "let", "filter", "scorer", "cost", "objective", "stage", "pool", "profile", "model", "class",
    "guard", "chain", "test",
)  # fmt: skip


def compare(old: Sequence[Section], new: Sequence[Section]) -> tuple[Change, ...]:
    """Return how *new* differs from *old*, sorted; nothing if they say the same."""
    before, after = parts(old), parts(new)
    _align(before, after)
    names, before = _renames(before, after)
    changes = [*names, *_blocks(before, after), *_moves(before, after)]
    for key, part in before.items():
        if key in after:
            changes += _facts(part, after[key])
    return tuple(sorted(changes, key=lambda c: (c.of, c.label, c.how, c.old, c.new)))


def _align(before: Parts, after: Parts) -> None:
    """Give unnamed blocks that say the same in both the same number in *after*."""
    for kind in ("overload", "trust", "trace"):
        olds = [p for k, p in before.items() if k[0] == kind]
        news = [p for k, p in after.items() if k[0] == kind]
        same: list[object] = [without_names(p) for p in olds]
        free = [f"#{i + 1}" for i in range(len(olds) + len(news))]
        taken: dict[int, str] = {}
        for i, part in enumerate(news):
            said = without_names(part)
            if said in same:
                at = same.index(said)
                same[at] = None  # it is found once
                taken[i] = f"#{at + 1}"
        left = [n for n in free if n not in taken.values()]
        for key in [k for k in after if k[0] == kind]:
            del after[key]
        for i, part in enumerate(news):
            name = taken.get(i) or left.pop(0)
            after[kind, name] = Part(kind, name, part.facts, part.place, part.places)


def _renames(before: Parts, after: Parts) -> tuple[list[Change], Parts]:
    """Return what has another name in *after*, and *before* with the new names in it."""
    found: list[Change] = []
    for kind in _KINDS:
        gone = [p for k, p in before.items() if k[0] == kind and k not in after]
        come = [p for k, p in after.items() if k[0] == kind and k not in before]
        for part in gone:
            said = without_names(part)
            same = [p for p in come if without_names(p) == said]
            alike = [p for p in gone if without_names(p) == said]
            if len(same) != 1 or len(alike) != 1 or not said:
                continue
            new = same[0].name
            places = (part.place, same[0].place)
            found.append(Change("renamed", part.of, "", part.name, f"`{new}`", places))
            before = {
                (kind, new) if k == (kind, part.name) else k: renamed(p, kind, part.name, new)
                for k, p in before.items()
            }
    return found, before


def _blocks(before: Parts, after: Parts) -> Iterator[Change]:
    for key, part in before.items():
        if key not in after:
            yield Change("removed", part.of, places=(part.place, ""))
    for key, part in after.items():
        if key not in before:
            yield Change("added", part.of, places=("", part.place))


def _moves(before: Parts, after: Parts) -> Iterator[Change]:
    """Yield what stands elsewhere among those of its kind that both policies have."""
    for kind in ORDERED:
        olds = [k for k in before if k[0] == kind and k in after]
        news = [k for k in after if k[0] == kind and k in before]
        if olds == news:
            continue
        kept: set[tuple[str, str]] = set()
        for match in SequenceMatcher(None, olds, news, autojunk=False).get_matching_blocks():
            kept |= set(olds[match.a : match.a + match.size])
        for key in olds:
            if key not in kept:
                places = (before[key].place, after[key].place)
                old, new = olds.index(key) + 1, news.index(key) + 1
                yield Change("moved", after[key].of, "", f"#{old}", f"#{new}", places)


def _facts(before: Part, after: Part) -> Iterator[Change]:
    of = after.of
    for label, fact in before.facts.items():
        place = before.places.get(label, before.place)
        other = after.facts.get(label)
        if other is None:
            yield Change("removed", of, label, old=shown(fact), places=(place, ""))
        elif other.value != fact.value:
            there = after.places.get(label, after.place)
            yield Change("changed", of, label, shown(fact), shown(other), (place, there))
    for label, fact in after.facts.items():
        if label not in before.facts:
            place = after.places.get(label, after.place)
            yield Change("added", of, label, new=shown(fact), places=("", place))
