"""Rules that others leave nothing to do: S301 (never reached), S313 (said twice)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headrace.dsl.cel.typed import Typed
from headrace.dsl.lints.cases import implies, possible
from headrace.dsl.lints.subject import Subject
from headrace.dsl.lints.terms import conjuncts, key, subjects
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.source import Span
from headrace.dsl.syntax import declarations as said

_COMPARED_MAX = 40  # earlier rules that one is compared with
_COMPARED_IN_ALL_MAX = 1000  # whose policy is larger is told of the first ones only


def overlap(subject: Subject) -> None:
    """Report classes, sheds, filters and patterns that earlier ones make pointless."""
    _classes(subject)
    for block in subject.of(said.OverloadBlock):
        _sheds(block, subject)
    _overloads(subject)
    _same_rules(subject)
    _filters(subject)
    _patterns(subject)


@dataclass(frozen=True, slots=True)
class _Condition:
    """A condition, what it is about, and what each of its parts is about."""

    typed: Typed
    about: frozenset[str]
    parts: tuple[frozenset[str], ...]

    def implies(self, other: "_Condition") -> bool:
        """Return whether *other* holds wherever this does; most pairs have nothing in common."""
        return all(self.about & part for part in other.parts) and implies(self.typed, other.typed)


def _condition(typed: Typed) -> _Condition:
    return _Condition(typed, subjects(typed), tuple(map(subjects, conjuncts(typed))))


def _always(typed: Typed) -> bool:
    return not typed.fails and not possible((typed, False))


def _classes(subject: Subject) -> None:
    final: said.ClassBlock | None = None
    before: list[tuple[said.ClassBlock, _Condition]] = []
    compared = 0
    for block in subject.of(said.ClassBlock):
        if final is not None:
            related = (Related(final.when.span, f"`{final.name.text}` always matches"),)
            help_ = f"move it up, or add `also` to `{final.name.text}`"
            message = f"class `{block.name.text}` can never be reached"
            subject.problems.add("S301", block.span, message, "unreachable", help_, related)
            continue
        typed = subject.typed(block.when)
        if typed is None:
            continue
        mine = _condition(typed)
        earlier = before[:_COMPARED_MAX] if compared < _COMPARED_IN_ALL_MAX else []
        compared += len(earlier)
        taken = next((b for b, t in earlier if mine.implies(t)), None)
        if taken is not None and possible((typed, True)):
            _taken(block, taken, subject.problems)
        if not block.also:
            before.append((block, mine))
            final = block if _always(typed) else None


def _taken(block: said.ClassBlock, first: said.ClassBlock, problems: Problems) -> None:
    related = (Related(first.when.span, f"`{first.name.text}` comes first and matches these too"),)
    message = f"class `{block.name.text}` never matches: `{first.name.text}` takes all it would"
    help_ = f"move it up, or add `also` to `{first.name.text}`"
    problems.add("S313", block.when.span, message, "says nothing more", help_, related)


def _sheds(block: said.OverloadBlock, subject: Subject) -> None:
    problems = subject.problems
    final: said.ShedRule | None = None
    before: list[tuple[said.ShedRule, _Condition]] = []
    for rule in block.sheds:
        typed = subject.typed(rule.when)
        if final is not None:
            related = (Related(final.when.span, "this sheds everything"),)
            message = "this shed can never be reached"
            problems.add("S301", rule.when.span, message, "unreachable", "move it up", related)
            continue
        if typed is None:
            continue
        mine = _condition(typed)
        first = next((r for r, t in before[:_COMPARED_MAX] if mine.implies(t)), None)
        if first is not None and rule.chance is None and possible((typed, True)):
            related = (Related(first.when.span, "this comes first"),)
            message = "this shed never acts: an earlier one sheds all that it would"
            problems.add(
                "S313", rule.when.span, message, "says nothing more", "move it up", related
            )
        if rule.chance is not None:
            continue  # it leaves something to those that follow
        before.append((rule, mine))
        final = rule if _always(typed) else None
    if final is not None and block.queue is not None:
        related = (Related(final.when.span, "this sheds everything"),)
        message = "nothing ever waits in this queue"
        help_ = "remove it, or narrow the `shed`"
        problems.add("S301", block.queue.span, message, "unreachable", help_, related)


def _overloads(subject: Subject) -> None:
    """Report an overload that says of the same pools just what another one says."""
    seen: dict[tuple[object, ...], said.OverloadBlock] = {}
    for block in subject.of(said.OverloadBlock):
        when = subject.typed(block.when)
        sheds = [subject.typed(rule.when) for rule in block.sheds]
        chances = any(rule.chance for rule in block.sheds)
        if when is None or None in sheds or block.queue is not None or chances:
            continue
        texts = tuple(key(shed) for shed in sheds if shed is not None)
        pools = frozenset(word.text for word in block.pools)
        first = seen.setdefault((pools, key(when), texts), block)
        if first is not block:
            _twice(block.when.span, first.when.span, "this overload", subject.problems)


def _same_rules(subject: Subject) -> None:
    """Report filters, scorers, costs and lets whose expression is that of another one."""
    seen: dict[tuple[str, str], said.RuleBlock] = {}
    for block in subject.of(said.RuleBlock):
        typed = _typed(block, subject)
        if typed is None or not typed.reads:
            continue
        first = seen.setdefault((block.kind, key(typed)), block)
        if first is not block and first.name.text != block.name.text:
            what = f"{block.kind} `{block.name.text}`"
            _twice(block.value.span, first.value.span, what, subject.problems, first.name.text)


def _typed(block: said.RuleBlock, subject: Subject) -> Typed | None:
    if block.kind == "let":
        return subject.rules.lets.get(block.name.text)
    return subject.typed(block.value)


def _twice(
    span: Span, first: Span, what: str, problems: Problems, name: str = "another one"
) -> None:
    shown = name if name == "another one" else f"`{name}`"
    message = f"{what} says the same as {shown}"
    related = (Related(first, "said here first"),)
    problems.add("S313", span, message, "said again", "keep one of them", related)


def _filters(subject: Subject) -> None:
    """Report filters of one `require` or `prefer` of which one follows from another."""
    for block in subject.of(said.ProfileBlock):
        for listed in (block.require, block.prefer):
            words = listed.words[:_COMPARED_MAX] if listed else ()
            found = [(w, _condition(t)) for w in words if (t := _filter(w.text, subject))]
            for i, (word, typed) in enumerate(found):
                others = [(j, o) for j, o in enumerate(found) if j != i]
                for j, (other, stricter) in others:
                    if not stricter.implies(typed) or (typed.implies(stricter) and j > i):
                        continue
                    message = f"filter `{word.text}` removes nothing that `{other.text}` keeps"
                    related = (Related(other.span, "this is at least as strict"),)
                    help_ = f"remove `{word.text}` from this list"
                    label = "follows from the other"
                    subject.problems.add("S313", word.span, message, label, help_, related)
                    break


def _filter(name: str, subject: Subject) -> Typed | None:
    found = subject.rules.filters.get(name)
    typed = found.rule.typed if found else None
    if typed is None or not possible((typed, True)) or _always(typed):
        return None  # reported already
    return typed


def _patterns(subject: Subject) -> None:
    """Report a pattern of a model that a longer one, which goes first, covers whole."""
    words = [w for b in subject.of(said.ModelBlock) for w in b.names if "*" in w.text]
    ranked = sorted(words, key=lambda word: (-len(word.text), word.text))[:_COMPARED_MAX]
    for i, word in enumerate(ranked):
        for first in ranked[:i]:
            if first.text != word.text and _covers(first.text, word.text):
                message = f"no request ever matches `{word.text}`: `{first.text}` is longer, "
                message += "goes first, and matches every such name"
                related = (Related(first.span, "covers it"),)
                help_ = "remove one of them"
                subject.problems.add("S301", word.span, message, "unreachable", help_, related)
                break


def _covers(wide: str, narrow: str) -> bool:
    """Return whether each text that fits *narrow* fits *wide*; ``*`` is any text."""
    # A star of `narrow` stands for any text, and so only a star of `wide` can take it.
    reached = set(_after_stars(wide, {0}))
    for char in narrow:
        moved = {i for i in reached if wide[i : i + 1] == "*"}
        moved |= {i + 1 for i in reached if char != "*" and wide[i : i + 1] == char}
        reached = set(_after_stars(wide, moved))
    return len(wide) in reached


def _after_stars(wide: str, places: Sequence[int] | set[int]) -> Iterator[int]:
    for place in places:
        yield place
        while wide[place : place + 1] == "*":
            place += 1
            yield place
