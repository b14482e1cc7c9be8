"""Times that do not go together: S317."""

from collections.abc import Iterator

from headrace.dsl.cel.interval import ANY_BOOL
from headrace.dsl.cel.kinds import BOOL, STRING
from headrace.dsl.cel.typed import Op, Typed, node
from headrace.dsl.lints.cases import possible
from headrace.dsl.lints.subject import Subject
from headrace.dsl.lints.terms import parts
from headrace.dsl.problems.diagnostic import Related
from headrace.dsl.source import Span
from headrace.dsl.syntax import declarations as said
from headrace.dsl.syntax.tree import Number
from headrace.dsl.vocabulary import variables

_AGE = "endpoint.age"
_EARLY = ("ttft", "latency")  # what a guard of the prompt delays


def times(subject: Subject) -> None:
    """Report ages that never come about, and waits longer than what a model promises."""
    _ages(subject)
    _budgets(subject)
    _queues(subject)


def _ages(subject: Subject) -> None:
    """Report a bound on the age of measurements that `dead after` makes pointless."""
    pools = subject.program.pools.values()
    if not pools:
        return
    longest = max(pools, key=lambda pool: pool.dead_after_s)
    seen: set[tuple[str, int]] = set()
    lets = subject.rules.lets.values()
    for typed in (*lets, *(r.typed for r in subject.program.rules if r.typed is not None)):
        for bound in _age_bounds(typed):
            spot = (bound.span.source.name, bound.span.start)
            if bound.numbers.lo <= longest.dead_after_s or spot in seen:
                continue
            seen.add(spot)
            stale = next((b.stale for b in subject.of(said.PoolBlock) if b.stale), None)
            related = (Related(stale.span, "this"),) if stale else ()
            message = "this age is hardly ever reached by an endpoint that is ready"
            label = f"older than `dead after {longest.dead_after_s:g}s`"
            help_ = (
                "leave the age out: who is silent for `dead after` is not ready anyway, and stale "
            )
            help_ += "measurements are taken to be worse before"
            subject.problems.add("S317", bound.span, message, label, help_, related)


def _age_bounds(typed: Typed) -> Iterator[Typed]:
    for part in parts(typed):
        if part.op is Op.COMPARE:
            for one, other in (part.args, part.args[::-1]):
                if one.op is Op.READ and _AGE in one.reads and other.op is Op.CONST:
                    yield other


def _budgets(subject: Subject) -> None:
    """Report guards that together may take longer than the first token of a model may."""
    for model in subject.of(said.ModelBlock):
        said_ = model.latency
        if said_ is None or said_.metric.text not in _EARLY:
            continue
        guards = [b for b in subject.of(said.GuardBlock) if _delays(b, model, subject)]
        total_s = sum(b.timeout.value for b in guards if b.timeout)
        if not guards or total_s < said_.below.value:
            continue
        timeout = guards[-1].timeout
        assert timeout is not None
        each = "these guards together" if len(guards) > 1 else "this guard"
        message = f"{each} may take {_ms(total_s)}, and `{model.names[0].text}` promises"
        message += f" {said_.metric.text} below {_ms(said_.below.value)}"
        related = (Related(said_.below.span, "the promise"),)
        help_ = "shorten the timeouts, or promise less"
        subject.problems.add("S317", timeout.span, message, "too long", help_, related)


def _queues(subject: Subject) -> None:
    """Report queues in which a request may wait for as long as its model promises to take."""
    for block in subject.of(said.OverloadBlock):
        when = subject.typed(block.when)
        if block.queue is None or when is None:
            continue
        for model in subject.of(said.ModelBlock):
            promise = _promise(model)
            wait = block.queue.wait
            if promise is None or wait.value < promise.value or not _meets(block, when, model):
                continue
            message = f"a request may wait {_ms(wait.value)} for its turn, and "
            message += f"`{model.names[0].text}` promises its beginning within {_ms(promise.value)}"
            related = (Related(promise.span, "the promise"),)
            help_ = "let it wait for less, or promise less"
            subject.problems.add("S317", wait.span, message, "too long", help_, related)
            break


def _promise(model: said.ModelBlock) -> Number | None:
    early = model.latency is not None and model.latency.metric.text in _EARLY
    return model.latency.below if model.latency is not None and early else None


def _meets(block: said.OverloadBlock, when: Typed, model: said.ModelBlock) -> bool:
    """Return whether a request for *model* can meet the overload of *block*."""
    pools = {word.text for word in block.pools}
    if pools and not any(target.pool.text in pools for target in model.route):
        return False
    if any("*" in word.text for word in model.names):
        return True
    asked = [_asks_for(word.text, word.span) for word in model.names]
    return any(possible((when, True), (a, True)) for a in asked)


def _delays(guard: said.GuardBlock, model: said.ModelBlock, subject: Subject) -> bool:
    """Return whether *guard* can hold up the prompt of a request for *model*."""
    prompt = not guard.inspect or any(word.text == "prompt" for word in guard.inspect)
    if guard.timeout is None or not prompt:
        return False
    when = subject.typed(guard.when) if guard.when else None
    if when is None:
        return True
    asked = [_asks_for(word.text, word.span) for word in model.names if "*" not in word.text]
    return len(asked) < len(model.names) or any(possible((when, True), (a, True)) for a in asked)


def _asks_for(name: str, span: Span) -> Typed:
    """Return the condition `request.model == name`."""
    variable = variables()["request.model"]
    reads = frozenset({variable.name})
    read = Typed(Op.READ, STRING, span, (), variable, reads=reads)
    constant = node(Op.CONST, STRING, span, value=name)
    return node(Op.COMPARE, BOOL, span, (read, constant), "==", ANY_BOOL)


def _ms(seconds: float) -> str:
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"
