"""`trace`: which exchanges are kept, and what is put onto their spans."""

from collections.abc import Sequence

from headrace.dsl.checks.limits import within
from headrace.dsl.checks.rules import Rules
from headrace.dsl.problems.diagnostic import Related
from headrace.dsl.program import After, Attribute, TraceRules
from headrace.dsl.syntax.declarations import TraceBlock
from headrace.dsl.syntax.tree import Number, Word

_ATTRIBUTES_MAX = 50


def trace(blocks: Sequence[TraceBlock], rules: Rules) -> TraceRules:
    """Return what all `trace` blocks say together."""
    problems = rules.problems
    sample: Number | None = None
    always: list[After] = []
    named: dict[str, Word] = {}
    attributes: list[Attribute] = []
    for block in blocks:
        if not block.spans:
            help_ = "add `sample 10%`, or `always when response.status >= 500`"
            problems.add("S332", block.span, "this traces nothing", "no effect", help_)
        if block.sample and sample:
            related = (Related(sample.span, "first time"),)
            message = "`sample` is given twice"
            problems.add(
                "S208", block.sample.span, message, "second time", "keep one of them", related
            )
        sample = sample or block.sample
        for written in block.always:
            found = rules.after(written, "always", "the condition of a trace", bool_only=True)
            always += [found] if found else []
        for word, written in block.attributes:
            _once(word, named, rules)
            value = rules.after(written, word.text, "an attribute", bool_only=False)
            attributes += [Attribute(word.text, value)] if value else []
    ratio = within(sample, 0, 1, "0% to 100%", problems)
    return TraceRules(ratio, tuple(always), tuple(attributes))


def _once(word: Word, named: dict[str, Word], rules: Rules) -> None:
    first = named.setdefault(word.text, word)
    if first is not word:
        related = (Related(first.span, "first time"),)
        message = f"the attribute `{word.text}` is given twice"
        rules.problems.add("S207", word.span, message, "second time", "rename one", related)
    if len(named) == _ATTRIBUTES_MAX + 1 and first is word:
        message = f"a policy has at most {_ATTRIBUTES_MAX} attributes"
        rules.problems.add("S218", word.span, message, "one too many")
