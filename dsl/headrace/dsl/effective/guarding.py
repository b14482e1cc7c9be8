"""Guards and the rule over them, flattened."""

from collections.abc import Iterator

from headrace.dsl.effective.form import (
    DEFAULT,
    Fact,
    Line,
    Section,
    expr,
    expressed,
    number,
    origin,
    raw,
    said,
)
from headrace.dsl.program import Guard, OnMatch, Program
from headrace.dsl.source import Span
from headrace.dsl.syntax.declarations import Action, GuardBlock, SafetyBlock
from headrace.dsl.syntax.guard_said import AskSaid, HeaderSaid, ProviderSaid, TemplateSaid
from headrace.dsl.syntax.tree import Word

_BLOCKED = 'block with 400 "blocked by safety policy"'
_TROUBLES = ("error", "timeout", "partial", "unreadable")


def guard(block: GuardBlock, program: Program) -> Section:
    """Return a guard with all that it leaves to the defaults."""
    name = block.name.text
    compiled = next(guard for guard in program.guards if guard.name == name)
    lines = [
        *_looks_for(block),
        *_inspected(block, compiled),
        *(_limits(block, compiled) if block.asks else ()),
        _on_match(block.on.get("match"), compiled),
        *_on_trouble(block),
    ]
    when = f" when {expr(block.when)}" if block.when else ""
    condition = expressed("condition", block.when) if block.when else ()
    head = Line(f"guard {block.name.span.text}{when}", origin(block.name.span), condition)
    return Section("guard", (name,), head, tuple(lines))


def _looks_for(block: GuardBlock) -> Iterator[Line]:
    lists = (("pattern", "patterns", block.patterns), ("phrase", "deny", block.deny))
    for what, verb, words in lists:
        if words:
            facts = tuple(Fact(f"{what} {w.span.text}", "listed", w.span.text) for w in words)
            yield Line(f"{verb} {raw(words)}", origin(block.spans[verb]), facts)
    if block.detect:
        facts = tuple(Fact(f"detector `{w.text}`", "listed", w.text) for w in block.detect)
        yield Line(f"detect {raw(block.detect)}", origin(block.spans["detect"]), facts)
    for template in block.templates:
        yield _template("template", template)
    for template in block.response_templates:
        yield _template("response template", template)
    if block.ask:
        yield from _ask(block.ask)


def _template(verb: str, template: TemplateSaid, depth: int = 1) -> Line:
    models = f" for {raw(template.models)}" if template.models else ""
    text, name = template.name.span.text, template.name.text
    facts = said(f"{verb}{models}", name, text)
    return Line(f"{verb} {text}{models}", origin(template.span), facts, depth)


def _ask(ask: AskSaid) -> Iterator[Line]:
    url = f" {ask.url.span.text}" if ask.url else ""
    facts = said("provider", (ask.provider.text, ask.url.text if ask.url else ""), ask.span.text)
    yield Line(f"ask {ask.provider.text}{url} {{", origin(ask.span), facts)
    for template in ask.templates:
        yield _template("template", template, 2)
    for template in ask.response_templates:
        yield _template("response template", template, 2)
    for header in ask.headers:
        yield _header(header)
    for setting in ask.settings:
        yield _setting(setting)
    for verb, written in ask.readings:
        when = " when" if verb == "match" else ""
        text = f"{verb}{when} {expr(written)}"
        yield Line(text, origin(written.span), expressed(f"answer's {verb}", written), 2)
    yield Line("}", "")


def _header(header: HeaderSaid) -> Line:
    prefix = f" prefix {header.prefix.span.text}" if header.prefix else ""
    value = header.value.span.text
    shown = f"from env {value}{prefix}" if header.from_env else value
    before = header.prefix.text if header.prefix else ""
    fact = repr((header.from_env, header.value.text, before))
    facts = (Fact(f"header `{header.name.text.lower()}`", fact, shown),)
    return Line(f"header {header.name.span.text} {shown}", origin(header.span), facts, 2)


def _setting(setting: ProviderSaid) -> Line:
    # The place of a value is its own; what its setting is called is not a part of it.
    shown = ", ".join(value.span.text for value in setting.values)
    of = f" for {raw(setting.of)}" if setting.of else ""
    facts = said(f"{setting.name.text}{of}", [v.value for v in setting.values], shown)
    return Line(f"{setting.name.text} {shown}{of}", origin(setting.span), facts, 2)


def _inspected(block: GuardBlock, compiled: Guard) -> Iterator[Line]:
    spans = block.spans
    if block.inspect:
        listed = sorted(w.text for w in block.inspect)
        facts = said("inspect", listed, raw(block.inspect))
        yield Line(f"inspect {raw(block.inspect)}", origin(spans["inspect"]), facts)
    else:
        yield Line("inspect prompt", DEFAULT, said("inspect", ["prompt"], "prompt"))
    if "prompt" in compiled.inspect:
        yield _plain("scope", "scope", compiled.scope.value, block.scope)
    if "response" in compiled.inspect:
        window = compiled.window
        text = f"{window.size} {window.unit}, overlap {window.overlap}"
        at = origin(spans["window"]) if block.window else DEFAULT
        yield Line(f"window {text}", at, said("window", text, text))
        yield _plain("stream", "stream", compiled.streamed.value, block.stream)


def _plain(label: str, verb: str, value: str, word: Word | None) -> Line:
    return Line(
        f"{verb} {value}", origin(word.span) if word else DEFAULT, said(label, value, value)
    )


def _limits(block: GuardBlock, compiled: Guard) -> Iterator[Line]:
    spans = block.spans
    if block.timeout:
        yield number("timeout", "timeout", block.timeout, spans["timeout"])
    most = str(compiled.at_once)
    text = f"at most {most} at once"
    yield Line(text, _at(spans.get("at_once")), said("calls at once", most, most))
    if block.cache:
        text = f"{block.cache.keep.span.text}, at most {compiled.cache_entries}"
        facts = said("cache", (compiled.cache_s, compiled.cache_entries), text)
        yield Line(f"cache for {text}", origin(spans["cache"]), facts)
    pause = block.breaker.pause.span.text if block.breaker else "10s"
    text = f"after {compiled.breaker_failures} failures for {pause}"
    facts = said("break", (compiled.breaker_failures, compiled.breaker_s), text)
    yield Line(f"break {text}", _at(spans.get("breaker")), facts)


def _at(span: Span | None) -> str:
    return origin(span) if span else DEFAULT


def _on_match(match: Action | None, compiled: Guard) -> Line:
    answer = compiled.on_match is OnMatch.BLOCK
    fact = repr((compiled.on_match.value, *((compiled.status, compiled.message) if answer else ())))
    done = _done(match, answers=True) if match else _BLOCKED
    at = origin(match.span) if match else DEFAULT
    return Line(f"on match {done}", at, (Fact("on match", fact, done),))


def _on_trouble(block: GuardBlock) -> Iterator[Line]:
    for event in _TROUBLES if block.asks else _TROUBLES[-1:]:
        action = block.on.get(event)
        done = _done(action, answers=False) if action else "block"
        at = origin(action.span) if action else DEFAULT
        yield Line(f"on {event} {done}", at, said(f"on {event}", done, done))


def _done(action: Action, *, answers: bool) -> str:
    if action.what != "block" or not answers:
        return action.what
    status = action.status.span.text if action.status else "400"
    message = action.message.span.text if action.message else '"blocked by safety policy"'
    return f"block with {status} {message}"


def safety(block: SafetyBlock) -> Section:
    """Return a `safety` block."""
    lines: list[Line] = []
    if block.order:
        order = block.order.text
        at = origin(block.spans["order"])
        lines.append(Line(f"guards in {order}", at, said("order of guards", order, order)))
    if block.block:
        at = origin(block.spans["blocks"])
        facts = expressed("block", block.block)
        lines.append(Line(f"block when {expr(block.block)}", at, facts))
    if block.only:
        lines.append(Line("inspect only", origin(block.spans["only"]), said("inspect", 1, "only")))
    return Section("safety", (), Line("safety", origin(block.span)), tuple(lines))
