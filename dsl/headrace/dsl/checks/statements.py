"""Classes, overload and trust: what happens to requests beside the picking."""

from collections.abc import Sequence

from headrace.dsl.checks.limits import message as message_of
from headrace.dsl.checks.limits import priority, within
from headrace.dsl.checks.limits import status as status_of
from headrace.dsl.checks.rules import CLIENT, REQUEST, REQUEST_AND_POOL, Rules
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.program import QUEUE_BYTES_MAX, Class, Overload, Queue, Shed, Text, Trust
from headrace.dsl.syntax.declarations import (
    ClassBlock,
    OverloadBlock,
    QueueRule,
    ShedRule,
    TrustBlock,
)
from headrace.dsl.syntax.tree import Written
from headrace.dsl.vocabulary import TRUST_NAMES

_RETRY_MAX_S = 3600.0
_WAIT_MAX_S = 600.0
_WAITING_MAX = 100_000
_KEYS_MAX = 4
_BYTES_MAX = 4 << 30


def classes(blocks: Sequence[ClassBlock], rules: Rules) -> tuple[Class, ...]:
    """Return the classes in order."""
    found: list[Class] = []
    for block in blocks:
        value = priority(block.priority, rules.problems)
        if block.profile:
            rules.names.find("profile", block.profile)
        if not (block.priority or block.profile or block.fairness or block.session):
            message = f"class `{block.name.text}` says nothing"
            help_ = "set its `priority` or its `profile`"
            rules.problems.add("S332", block.span, message, "no effect", help_)
        when = rules.condition(block.when, block.name.text, "the condition of a class", REQUEST)
        fairness = _key(block, "fairness", block.fairness, "a fairness key", rules)
        session = _key(block, "session", block.session, "the name of a session", rules)
        if when is not None:
            profile = block.profile.text if block.profile else None
            kind = Class(block.name.text, when, value, profile, block.also, fairness, session)
            found.append(kind)
    return tuple(found)


def _key(
    block: ClassBlock, word: str, written: Written | None, where: str, rules: Rules
) -> Text | None:
    """Return the text by which a class tells its requests apart, if it says one."""
    if written is None:
        return None
    return rules.text(written, f"{block.name.text}.{word}", where, REQUEST)


def overloads(blocks: Sequence[OverloadBlock], rules: Rules) -> tuple[Overload, ...]:
    """Return the overload blocks in order."""
    found: list[Overload] = []
    for block in blocks:
        for word in block.pools:
            rules.names.find("pool", word)
        if not (block.sheds or block.queue or block.evict):
            help_ = "add `shed when request.priority < 0`"
            rules.problems.add("S332", block.span, "this overload does nothing", "no effect", help_)
        where = "the condition of an overload"
        when = rules.condition(block.when, "overload", where, REQUEST_AND_POOL)
        sheds = tuple(s for s in (_shed(rule, rules) for rule in block.sheds) if s)
        queue = _queue(block.queue, rules) if block.queue else None
        where = "the condition of an evict"
        evict = rules.condition(block.evict, "evict", where, REQUEST) if block.evict else None
        if when is not None:
            found.append(Overload(when, tuple(w.text for w in block.pools), sheds, queue, evict))
    return tuple(found)


def _queue(rule: QueueRule, rules: Rules) -> Queue | None:
    wait_s = within(rule.wait, 0.001, _WAIT_MAX_S, "1ms to 10min", rules.problems)
    length = within(rule.length, 1, _WAITING_MAX, f"1 to {_WAITING_MAX}", rules.problems)
    by = rules.number(rule.by, "queue", "the order of a queue", REQUEST_AND_POOL)
    if len(rule.fair) > _KEYS_MAX:
        message = f"a queue is fair by at most {_KEYS_MAX} keys"
        rules.problems.add("S218", rule.fair[_KEYS_MAX].span, message, "one too many")
    fair = [rules.text(w, "queue.fair", "a fairness key", REQUEST_AND_POOL) for w in rule.fair]
    if by is None or wait_s is None:
        return None
    size = within(rule.size, 1, _BYTES_MAX, "1B to 4GiB", rules.problems)
    keys = tuple(key for key in fair if key is not None)
    return Queue(
        by,
        wait_s,
        1000 if length is None else int(length),
        keys,
        QUEUE_BYTES_MAX if size is None else int(size),
        rule.strictly,
        rule.in_tokens,
        rule.soonest,
    )


def _shed(rule: ShedRule, rules: Rules) -> Shed | None:
    when = rules.condition(rule.when, "shed", "the condition of a shed", REQUEST_AND_POOL)
    retry = rule.retry_after
    if retry is not None and not 0 < retry.value <= _RETRY_MAX_S:
        message = f"`{retry.span.text}` is outside what is allowed"
        rules.problems.add("S218", retry.span, message, "", "allowed: above 0s, at most 1h")
    status = status_of(rule.status, 429, rules.problems)
    message = message_of(rule.message, "overloaded, try again later", rules.problems)
    chance = None
    if rule.chance is not None:
        chance = rules.ratio(rule.chance, "chance", "a chance", REQUEST_AND_POOL)
    if when is None:
        return None
    return Shed(when, status, message, None if retry is None else retry.value, chance)


def trusts(blocks: Sequence[TrustBlock], rules: Rules) -> tuple[Trust, ...]:
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
            when = rules.condition(entry.when, "trust", "the condition of a trust", CLIENT)
            if when is not None:
                found.append(Trust(frozenset(w.text for w in entry.names), when))
    return tuple(found)
