"""Classes, overload, guards, trust and chains: what happens to requests beside the picking."""

from collections.abc import Sequence

from headrace.dsl import tree
from headrace.dsl.cel.interval import Interval, both
from headrace.dsl.cel.patterns import compile_pattern
from headrace.dsl.diagnostic import Problems, Related
from headrace.dsl.places import priority
from headrace.dsl.program import Chain, Class, Guard, OnMatch, Overload, Shed, Trust
from headrace.dsl.rules import REQUEST, REQUEST_AND_POOL, Rules
from headrace.dsl.suggest import did_you_mean
from headrace.dsl.tree import Number, Word
from headrace.dsl.vocabulary import PRIORITY_MAX, TRUST_NAMES

_RETRY_MAX_S = 3600.0
_PATTERNS_MAX = 100
_MESSAGE_CHARS_MAX = 500


def classes(blocks: Sequence[tree.ClassBlock], rules: Rules) -> tuple[Class, ...]:
    """Return the classes in order."""
    found: list[Class] = []
    final: tree.ClassBlock | None = None
    for block in blocks:
        if final is not None:
            related = (Related(final.when.span, f"`{final.name.text}` always matches"),)
            help_ = f"move it up, or add `also` to `{final.name.text}`"
            message = f"class `{block.name.text}` can never be reached"
            rules.problems.add("S301", block.span, message, "unreachable", help_, related)
        value = priority(block.priority, rules.problems)
        if block.profile:
            rules.names.find("profile", block.profile)
        if block.priority is None and block.profile is None:
            message = f"class `{block.name.text}` says nothing"
            help_ = "set its `priority` or its `profile`"
            rules.problems.add("S332", block.span, message, "no effect", help_)
        when = rules.condition(block.when, block.name.text, "the condition of a class", REQUEST)
        if when is not None:
            profile = block.profile.text if block.profile else None
            found.append(Class(block.name.text, when, value, profile, block.also))
            if final is None and not block.also and _always(block.when, rules):
                final = block
    return tuple(found)


def _always(written: tree.Written, rules: Rules) -> bool:
    silent = Rules(rules.names, Problems(), rules.variables, rules.lets)
    typed = silent.check(written, "a class", REQUEST)
    return typed.numbers.lo == 1 and not typed.fails


def overloads(
    blocks: Sequence[tree.OverloadBlock], rules: Rules, lets: Sequence[tree.RuleBlock]
) -> tuple[Overload, ...]:
    """Return the overload blocks in order. *lets* are those the conditions may use."""
    urgent = (
        rules.assuming("request.priority", Interval(0, PRIORITY_MAX), lets) if blocks else rules
    )
    found: list[Overload] = []
    for block in blocks:
        for word in block.pools:
            rules.names.find("pool", word)
        if not block.sheds:
            help_ = "add `shed when request.priority < 0`"
            rules.problems.add("S332", block.span, "this overload does nothing", "no effect", help_)
        where = "the condition of an overload"
        when = rules.condition(block.when, "overload", where, REQUEST_AND_POOL)
        sheds = tuple(s for s in (_shed(rule, block, rules, urgent) for rule in block.sheds) if s)
        if when is not None:
            found.append(Overload(when, tuple(w.text for w in block.pools), sheds))
    return tuple(found)


def _shed(
    rule: tree.ShedRule, block: tree.OverloadBlock, rules: Rules, urgent: Rules
) -> Shed | None:
    when = rules.condition(rule.when, "shed", "the condition of a shed", REQUEST_AND_POOL)
    retry = rule.retry_after
    if retry is not None and not 0 < retry.value <= _RETRY_MAX_S:
        message = f"`{retry.span.text}` is outside what is allowed"
        rules.problems.add("S218", retry.span, message, "", "allowed: above 0s, at most 1h")
    status = _status(rule.status, 429, rules.problems)
    message = _message(rule.message, "overloaded, try again later", rules.problems)
    if when is None:
        return None
    if not rule.any:
        _spares_urgent(rule, block, rules, urgent)
    return Shed(when, status, message, 1.0 if retry is None else retry.value)


def _spares_urgent(
    rule: tree.ShedRule, block: tree.OverloadBlock, rules: Rules, urgent: Rules
) -> None:
    """Report a shed rule that can hold for a request of priority 0 or more."""
    conditions = [
        urgent.check(written, "a shed", REQUEST_AND_POOL) for written in (block.when, rule.when)
    ]
    if all(c.type.known for c in conditions) and both(*(c.numbers for c in conditions)).hi > 0:
        message = "this can turn away requests of priority 0 or more"
        label = "can hold for priority 0 or more"
        help_ = "add `request.priority < 0 && ...`; if it is meant, write `shed any when ...`"
        rules.problems.add("S305", rule.when.span, message, label, help_)


def _status(number: Number | None, otherwise: int, problems: Problems) -> int:
    if number is None:
        return otherwise
    if not 400 <= number.value <= 599:
        message = f"`{number.span.text}` is not the status of a refusal"
        problems.add("S218", number.span, message, "", "allowed: 400 to 599")
    return int(number.value)


def _message(word: Word | None, otherwise: str, problems: Problems) -> str:
    if word is None:
        return otherwise
    if not word.text.isprintable() or not 1 <= len(word.text) <= _MESSAGE_CHARS_MAX:
        help_ = f"1 to {_MESSAGE_CHARS_MAX} printable characters"
        problems.add("S218", word.span, "this is not a message", "", help_)
    return word.text


def guards(blocks: Sequence[tree.GuardBlock], rules: Rules) -> tuple[Guard, ...]:
    """Return the guards in order."""
    found: list[Guard] = []
    for block in blocks:
        when = None
        if block.when:
            name, where = block.name.text, "the condition of a guard"
            when = rules.condition(block.when, name, where, REQUEST)
        _patterns(block, rules.problems)
        action = OnMatch(block.on_match) if block.on_match else OnMatch.BLOCK
        found.append(
            Guard(
                block.name.text,
                block.span,
                tuple(w.text for w in block.patterns),
                when,
                action,
                _status(block.status, 400, rules.problems),
                _message(block.message, "blocked by safety policy", rules.problems),
            )
        )
    return tuple(found)


def _patterns(block: tree.GuardBlock, problems: Problems) -> None:
    if not block.patterns:
        help_ = 'add `patterns "..."`'
        message = f"guard `{block.name.text}` has no patterns"
        problems.add("S216", block.span, message, "what is it looking for?", help_)
    if len(block.patterns) > _PATTERNS_MAX:
        message = f"a guard has at most {_PATTERNS_MAX} patterns"
        problems.add("S218", block.patterns[_PATTERNS_MAX].span, message, "one too many")
        return
    for word in block.patterns:
        fault = compile_pattern(word.text) if word.text else "it is empty and matches everything"
        if isinstance(fault, str):
            help_ = "patterns are RE2: no look-around, no back-references"
            problems.add("S219", word.span, f"this pattern is not valid: {fault}", "", help_)


def trusts(blocks: Sequence[tree.TrustBlock], rules: Rules) -> tuple[Trust, ...]:
    """Return what is believed, and when."""
    found: list[Trust] = []
    for block in blocks:
        if not block.entries:
            help_ = 'add `objective from request.header("x-authenticated-by") == "mesh"`'
            rules.problems.add("S332", block.span, "this trusts nothing", "no effect", help_)
        for entry in block.entries:
            for word in entry.names:
                if word.text not in TRUST_NAMES:
                    help_ = did_you_mean(word.text, TRUST_NAMES, "names")
                    message = f"`{word.text}` is nothing that can be trusted"
                    rules.problems.add("S214", word.span, message, "unknown", help_)
            when = rules.condition(entry.when, "trust", "the condition of a trust", REQUEST)
            if when is not None:
                found.append(Trust(frozenset(w.text for w in entry.names), when))
    return tuple(found)


def chains(
    blocks: Sequence[tree.ChainBlock], stages: frozenset[str], problems: Problems
) -> dict[str, Chain]:
    """Return the chains by name. *stages* are those that are installed."""
    found: dict[str, Chain] = {}
    for block in blocks:
        seen: dict[str, Word] = {}
        if not block.stages:
            message = f"chain `{block.name.text}` has no stages"
            help_ = f"stages: {', '.join(sorted(stages))}"
            problems.add("S332", block.span, message, "empty", help_)
        for word in block.stages:
            first = seen.setdefault(word.text, word)
            if first is not word:
                related = (Related(first.span, "first time"),)
                message = f"`{word.text}` is twice in one chain"
                problems.add("S207", word.span, message, "second time", "remove it", related)
            if word.text not in stages:
                help_ = did_you_mean(word.text, stages, "installed stages")
                message = f"no stage `{word.text}` is installed"
                problems.add("S213", word.span, message, "unknown stage", help_)
        found.setdefault(block.name.text, Chain(block.name.text, tuple(seen), block.span))
    return found
