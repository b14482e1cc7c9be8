"""How the guards of a policy work together: `safety`."""

from collections.abc import Sequence

from headrace.dsl.checks.answers import GuardsNamed, verdict_rule
from headrace.dsl.checks.names import Names
from headrace.dsl.guarding import NO_SAFETY_RULE, SafetyRule, VerdictRule
from headrace.dsl.problems.diagnostic import Related
from headrace.dsl.program import Guard, OnMatch
from headrace.dsl.source import Span
from headrace.dsl.syntax.declarations import SafetyBlock
from headrace.dsl.syntax.tree import Written

_VERBS = {"order": "guards in", "blocks": "block when", "only": "inspect only"}


def safety(blocks: Sequence[SafetyBlock], guards: Sequence[Guard], names: Names) -> SafetyRule:
    """Return what all the `safety` blocks say together."""
    problems = names.problems
    firsts: dict[str, Span] = {}
    rule: VerdictRule | None = None
    for block in blocks:
        if not block.spans:
            help_ = "add `guards in parallel`, `block when ...` or `inspect only`"
            problems.add("S332", block.span, "this `safety` says nothing", "no effect", help_)
        elif not names.of("guard") and not names.incomplete:
            message = "there is no guard that this could be about"
            problems.add("S217", block.span, message, "no effect", "add a `guard`, or remove it")
        for verb, span in block.spans.items():
            first = firsts.setdefault(verb, span)
            if first is not span:
                message = f"`{_VERBS[verb]}` is given in two `safety` blocks"
                related = (Related(first, "first time"),)
                problems.add("S208", span, message, "second time", "keep one of them", related)
        if block.block is not None:
            rule = _rule(block.block, guards, names) or rule
    if "only" in firsts and "blocks" in firsts:
        related = (Related(firsts["only"], "nothing is blocked"),)
        message = "`block when` has no effect beside `inspect only`"
        problems.add("S217", firsts["blocks"], message, "no effect", "remove one of them", related)
    if not blocks:
        return NO_SAFETY_RULE
    parallel = any(b.order is not None and b.order.text == "parallel" for b in blocks)
    return SafetyRule(parallel, rule, any(b.only for b in blocks))


def _rule(written: Written, guards: Sequence[Guard], names: Names) -> VerdictRule | None:
    """Return the compiled condition, after reporting guards that it keeps from blocking."""
    found = verdict_rule(written, GuardsNamed(names))
    if found is None:
        return None
    rule, read = found
    for guard in guards:
        if guard.on_match is OnMatch.BLOCK and guard.name not in read:
            message = f"guard `{guard.name}` never blocks: `block when` does not ask for it"
            related = (Related(written.span, "what blocks"),)
            help_ = f'add `|| matched("{guard.name}")`, or write `on match log` in the guard'
            names.problems.add("S217", guard.span, message, "no effect", help_, related)
    return rule
