"""What a word means, for who points at it: types, units, ranges, when it is known."""

import math

from headrace.dsl.cel.interval import Interval
from headrace.dsl.cel.kinds import Base, Type
from headrace.dsl.cel.library import Function
from headrace.dsl.cel.standard import STANDARD
from headrace.dsl.cel.typed import Binding, Variable
from headrace.dsl.source import Span
from headrace.dsl.syntax import declarations as said
from headrace.dsl.syntax import forms
from headrace.dsl.syntax.blocks import BLOCKS
from headrace.dsl.vocabulary import STAGES, stage_of, variables
from headrace.host.lsp import guard_words
from headrace.host.lsp.mentions import Mention
from headrace.host.lsp.policy import Names

# What `stage` of a rule means for who waits for it.
_STAGES = {
    "static": "known when the policy is loaded",
    "scrape": "E: computed once for each scrape of the endpoints",
    "request": "R: computed for each request",
}
_BINDINGS = {
    Binding.SCRAPE: "E: changes with each scrape",
    Binding.REQUEST: "R: changes with each request",
    Binding.BOTH: "E and R: changes with each scrape and each request",
    Binding.AFTER: "known after the decision",
}
_LINES_MAX = 12
_BIG = 2.0**31


def type_text(type_: Type) -> str:
    """Return *type_* with its unit: `double, ratio`."""
    base = str(type_)
    return f"{type_.base.value}, {base}" if type_.unit.value else base


def signatures(name: str) -> str:
    """Return the signatures of the function or method *name*, as Markdown; empty for a macro."""
    function, method = STANDARD.functions.get(name), STANDARD.methods.get(name)
    lines = [*_signatures(function, method=False), *_signatures(method, method=True)]
    return "```text\n" + "\n".join(lines[:_LINES_MAX]) + "\n```" if lines else ""


def _signatures(function: Function | None, *, method: bool) -> list[str]:
    lines: list[str] = []
    for one in function.overloads if function else ():
        params = [str(param) for param in one.params]
        of = f"{params.pop(0)}." if method else ""
        dots = "..." if one.variadic else ""
        name = function.name if function else ""
        lines.append(f"{of}{name}({', '.join(params)}{dots}) -> {one.result}")
    return lines


def vocabulary(name: str) -> str | None:
    """Return what the name *name* of the vocabulary is, as Markdown."""
    variable = variables().get(name)
    if variable is None:
        fields = [n for n in variables() if n.startswith(f"{name}.")]
        return f"`{name}` has: {', '.join(f'`{f}`' for f in fields)}" if fields else None
    rows = [f"`{name}`: **{type_text(variable.type)}**", "", variable.doc, ""]
    rows += [f"- {_BINDINGS[variable.binding]}", *_limits(variable)]
    return "\n".join(rows)


def _limits(variable: Variable) -> list[str]:
    rows: list[str] = []
    if variable.range is not None:
        rows.append(f"- {_range(variable.range, variable.type)}")
    if variable.optional:
        rows.append(f"- may be missing: read it under `has({variable.name})`")
    if variable.items_max:
        rows.append(f"- at most {variable.items_max} items")
    return rows


def _range(range_: Interval, type_: Type) -> str:
    if type_.unit.value == "ratio":
        return f"from {range_.lo:.0%} to {range_.hi:.0%}"
    unit = "s" if type_.base is Base.DURATION else ""
    if range_.hi >= _BIG or math.isinf(range_.hi):
        return f"at least {range_.lo:g}{unit}"
    return f"from {range_.lo:g}{unit} to {range_.hi:g}{unit}"


def name(mention: Mention, names: Names) -> str | None:
    """Return what the name of *mention* stands for: what defines it, its type, its stage."""
    definition = next(iter(names.definitions(mention)), None)
    block = names.block_of(definition) if definition else None
    if definition is None or block is None:
        return None
    rows = [f"```sched\n{_shown(_whole(block))}\n```"]
    rule = names.rules.get(mention.name) if mention.kind == "rule" else None
    typed = names.lets.get(mention.name) if mention.kind == "rule" else None
    if typed is not None:
        rows.append(f"- **{type_text(typed.type)}**")
    known = typed or rule
    if known is not None:
        rows.append(f"- {_STAGES[stage_of(known.reads)]}")
        if known.reads:
            rows.append(f"- reads {', '.join(f'`{read}`' for read in sorted(known.reads))}")
    line, _ = definition.span.source.line_column(definition.span.start)
    return "\n".join([*rows, "", f"{definition.span.source.name}:{line}"])


def _whole(block: said.Block) -> Span:
    """Return the block with its body, as far as its statements tell."""
    end = max([block.span.end, *(span.end for span in block.spans.values())])
    return Span(block.span.source, block.span.start, end)


def _shown(span: Span) -> str:
    lines = span.text.splitlines()
    return "\n".join(lines[:_LINES_MAX] + (["..."] if len(lines) > _LINES_MAX else []))


def word(text: str, keyword: str) -> str | None:
    """Return what a word of the language does in a block that opens with *keyword*."""
    usage = forms.USAGE.get((keyword, text)) or (text in BLOCKS and forms.OPENING.get(text))
    if usage:
        return f"```sched\n{usage}\n```"
    found = signatures(text)
    if text in STAGES:
        return f"`{text}`: a stage that comes with Headrace"
    return found or guard_words.described(text, keyword)
