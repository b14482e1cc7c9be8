"""Guards: what is screened for, in what, and what follows from a finding or a failure."""

from collections.abc import Sequence

from headrace.dsl.cel.patterns import compile_pattern
from headrace.dsl.checks.limits import message, status, within
from headrace.dsl.checks.rules import REQUEST, Rules
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.program import Guard, OnMatch, OnTrouble, Provision
from headrace.dsl.syntax.declarations import Action, GuardBlock

_PATTERNS_MAX = 100
_TIMEOUT_MAX_S = 60.0
_DIRECTIONS = ("prompt", "response")
_TROUBLES = ("error", "timeout", "partial")


def guards(blocks: Sequence[GuardBlock], rules: Rules) -> tuple[Guard, ...]:
    """Return the guards in order."""
    return tuple(_guard(block, rules) for block in blocks)


def _guard(block: GuardBlock, rules: Rules) -> Guard:
    problems, name = rules.problems, block.name.text
    when = None
    if block.when:
        when = rules.condition(block.when, name, "the condition of a guard", REQUEST)
    _source(block, problems)
    if not block.template:
        _only_for_templates(block, problems)
    action = block.on.get("match")
    return Guard(
        name,
        block.span,
        tuple(w.text for w in block.patterns),
        when,
        _on_match(action, problems),
        status(action.status if action else None, 400, problems),
        message(action.message if action else None, "blocked by safety policy", problems),
        inspect=_inspected(block, problems),
        timeout_s=within(block.timeout, 0.001, _TIMEOUT_MAX_S, "1ms to 1min", problems),
        on_error=_on_trouble(block.on.get("error"), problems),
        on_timeout=_on_trouble(block.on.get("timeout"), problems),
        on_partial=_on_trouble(block.on.get("partial"), problems),
        ask=_ask(block, problems),
    )


def _source(block: GuardBlock, problems: Problems) -> None:
    """Report a guard that looks for nothing, or for two kinds of things, or for nonsense."""
    if not block.patterns and not block.template:
        help_ = 'add `patterns "..."` or `template "..."`'
        text = f"guard `{block.name.text}` has no patterns and no template"
        problems.add("S216", block.span, text, "what is it looking for?", help_)
    if block.patterns and block.template:
        related = (Related(block.spans["patterns"], "the patterns"),)
        text = "a guard has patterns or a template, not both"
        help_ = "write two guards: they run in their order"
        problems.add("S217", block.spans["template"], text, "a template", help_, related)
    if len(block.patterns) > _PATTERNS_MAX:
        text = f"a guard has at most {_PATTERNS_MAX} patterns"
        problems.add("S218", block.patterns[_PATTERNS_MAX].span, text, "one too many")
        return
    for word in block.patterns:
        fault = compile_pattern(word.text) if word.text else "it is empty and matches everything"
        if isinstance(fault, str):
            help_ = "patterns are RE2: no look-around, no back-references"
            problems.add("S219", word.span, f"this pattern is not valid: {fault}", "", help_)


def _only_for_templates(block: GuardBlock, problems: Problems) -> None:
    """Report settings about a provider's answers where no provider is asked."""
    for verb in ("timeout", *(f"on {event}" for event in _TROUBLES)):
        if verb in block.spans and block.patterns:
            text = f"`{verb}` has no effect beside `patterns`"
            help_ = "remove it: patterns are screened here, in linear time, and cannot fail"
            problems.add("S217", block.spans[verb], text, "no effect", help_)


def _ask(block: GuardBlock, problems: Problems) -> Provision | None:
    """Return whom to ask: `template` alone means Model Armor."""
    word = block.template
    if word is None:
        return None
    if not word.text.strip() or not word.text.isprintable() or len(word.text) > 500:
        help_ = 'for example `"projects/acme/locations/eu/templates/chat"`'
        problems.add("S218", word.span, "this is not the name of a template", "", help_)
    return Provision("model_armor", settings={"template": ((word.text, ""),)})


def _inspected(block: GuardBlock, problems: Problems) -> frozenset[str]:
    for word in block.inspect:
        if word.text not in _DIRECTIONS:
            help_ = did_you_mean(word.text, _DIRECTIONS, "possible")
            text = f"`{word.text}` is nothing that can be inspected"
            problems.add("S214", word.span, text, "unknown", help_)
    return frozenset(w.text for w in block.inspect) or frozenset({"prompt"})


def _on_match(action: Action | None, problems: Problems) -> OnMatch:
    if action is None:
        return OnMatch.BLOCK
    if action.what == "allow":
        help_ = "`on match log` lets it pass and records the finding"
        problems.add("S214", action.span, "a match cannot be allowed", "no effect", help_)
        return OnMatch.LOG
    return OnMatch(action.what)


def _on_trouble(action: Action | None, problems: Problems) -> OnTrouble:
    if action is None:
        return OnTrouble.BLOCK
    if action.what == "redact":
        help_ = "without a verdict there is nothing to redact: `block`, `allow` or `log`"
        problems.add("S214", action.span, "only a match can be redacted", "not possible", help_)
        return OnTrouble.BLOCK
    if action.status or action.message:
        help_ = "write `block`: the answer is that of the reason"
        problems.add("S217", action.span, "only a match has an answer of its own", "", help_)
    return OnTrouble(action.what)
