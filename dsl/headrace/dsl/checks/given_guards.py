"""What a test gives of its surroundings beside endpoints: providers, and the model's answer."""

from collections.abc import Iterator, Sequence

from headrace.dsl.checks.names import Names
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.program import GivenGuard, Guard
from headrace.dsl.providers import BOTH
from headrace.dsl.source import Span
from headrace.dsl.syntax.guard_said import GuardGiven
from headrace.dsl.syntax.tree import Word

_ANSWER_CHARS_MAX = 100_000
_FINDING_CHARS_MAX = 100


def given_guards(
    said: Sequence[GuardGiven], guards: Sequence[Guard], names: Names
) -> tuple[GivenGuard, ...]:
    """Return what the providers of *guards* say, after reporting what makes no sense."""
    by_name = {guard.name: guard for guard in guards}
    firsts: dict[tuple[str, str], Span] = {}
    found: list[GivenGuard] = []
    for one in said:
        if not names.find("guard", one.guard) or one.guard.text not in by_name:
            continue
        guard = by_name[one.guard.text]
        direction = _direction(one, guard, names.problems)
        for each in [direction] if direction else sorted(BOTH):
            first = firsts.setdefault((guard.name, each), one.span)
            if first is not one.span:
                message = f"guard `{guard.name}` is given twice for a {each}"
                related = (Related(first, "first time"),)
                help_ = "say of which direction each is: `in prompt`, `in response`"
                names.problems.add("S207", one.span, message, "second time", help_, related)
                break
        if guard.ask is None:
            help_ = "remove it, and ask with a prompt that the guard finds something in"
            message = f"guard `{guard.name}` looks by itself, in tests too"
            names.problems.add("S217", one.span, message, "no effect", help_)
        finds = tuple(_findings(one.finds, names.problems))
        fails = one.fails.text if one.fails else ""
        found.append(GivenGuard(guard.name, one.span, finds, fails, direction))
    return tuple(found)


def _direction(one: GuardGiven, guard: Guard, problems: Problems) -> str:
    word = one.direction
    if word is None:
        return ""
    if word.text not in BOTH:
        help_ = did_you_mean(word.text, BOTH, "possible")
        problems.add("S214", word.span, f"`{word.text}` is no direction", "unknown", help_)
        return ""
    if word.text not in guard.inspect:
        message = f"guard `{guard.name}` does not inspect a {word.text}"
        problems.add("S217", word.span, message, "no effect", f"add `inspect {word.text}`")
    return word.text


def _findings(words: Sequence[Word], problems: Problems) -> Iterator[str]:
    for word in words:
        if not word.text.isprintable() or not 1 <= len(word.text.strip()) <= _FINDING_CHARS_MAX:
            help_ = f"1 to {_FINDING_CHARS_MAX} printable characters"
            problems.add("S218", word.span, "this is no category of a finding", "", help_)
        yield word.text


def answer(word: Word | None, problems: Problems) -> str | None:
    """Return the text that the model of a test answers with."""
    if word is None:
        return None
    if len(word.text) > _ANSWER_CHARS_MAX:
        help_ = f"at most {_ANSWER_CHARS_MAX} characters"
        problems.add("S218", word.span, "this answer is too long for a test", "", help_)
    return word.text
