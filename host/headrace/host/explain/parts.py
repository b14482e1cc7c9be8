"""The value of every part of a compiled expression, on given values."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.dsl.cel import generate
from headrace.dsl.cel.kinds import Base
from headrace.dsl.cel.typed import LOOP, Op, Typed
from headrace.dsl.program import (
    DecisionValues,
    EndpointValues,
    ModelValues,
    PoolValues,
    RequestValues,
    ResponseValues,
    RuleFault,
)
from headrace.dsl.source import Span

_AFTER = ("decision", "response")
_OVER = "candidates."
KEPT_MAX = 4096
# What a part raises by itself where a `has` or a `?:` around it would have kept it from being read.
UNKNOWN = (AttributeError, TypeError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Frame:
    """What an expression is evaluated on; what its place does not know is None.

    candidates  what `candidates` goes through; none of them: the endpoint alone
    """

    request: RequestValues
    pool: PoolValues | None = None
    endpoint: EndpointValues | None = None
    now_s: float = 0.0
    model: ModelValues | None = None
    decision: DecisionValues | None = None
    response: ResponseValues | None = None
    candidates: Sequence[EndpointValues] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an expression and its value; an error of it is a RuleFault."""

    typed: Typed
    value: object


_NOWHERE = RuleFault("missing")  # of no candidate there is nothing to say

# Any: values of every type, from functions of different parameters.
_Run = Callable[[Frame], Any]


@dataclass(slots=True)
class Parts:
    """Evaluates parts, and keeps what it has compiled of them. Written by one thread only.

    Of no more than KEPT_MAX parts: a long-lived one begins anew then.
    """

    _runs: dict[int, tuple[Typed, _Run]] = field(default_factory=dict[int, tuple[Typed, _Run]])

    def of(self, typed: Typed, frame: Frame) -> list[Part]:
        """Return the parts of *typed* that have a value of their own, in the order of the text.

        What a `?:` has not chosen is left out, and so is what stands behind a `has` that said
        no: it has no value there. The whole is among them, unless it is a constant.
        """
        found = list(self._parts(typed, frame, typed.span))
        return sorted(found, key=lambda part: part.typed.span.start)

    def value(self, typed: Typed, frame: Frame) -> object:
        """Return the value of *typed*."""
        known = self._runs.get(id(typed))
        if known is None:
            if len(self._runs) >= KEPT_MAX:
                self._runs.clear()
            # The node is kept beside: its id would else be another's after it is gone.
            known = self._runs[id(typed)] = (typed, _compiled(typed))
        return known[1](frame)

    def _parts(self, typed: Typed, frame: Frame, whole: Span) -> Iterator[Part]:
        if not _inside(typed.span, whole) or typed.op is Op.WRONG:
            return  # it stands in a `let`, whose name shows its value
        if typed.free - {LOOP}:
            return  # the variable of a macro has many values
        try:
            value = self.value(typed, frame)
        except UNKNOWN:
            return  # it is absent, and only behind a `has` may it be read
        tells = typed.type.base is not Base.MAP  # a map of headers would bury the rest
        if tells and (typed.op is not Op.CONST or _named(typed)):
            yield Part(typed, value)
        if typed.op is Op.COND:
            test, yes, no = typed.args
            yield from self._parts(test, frame, whole)
            yield from self._parts(yes if self._true(test, frame) else no, frame, whole)
        elif typed.op is not Op.HAS:
            for arg in typed.args:
                yield from self._parts(arg, frame, whole)

    def _true(self, test: Typed, frame: Frame) -> bool:
        return self.value(test, frame) is True


def _inside(span: Span, whole: Span) -> bool:
    return span.source is whole.source and whole.start <= span.start and span.end <= whole.end


def _named(typed: Typed) -> bool:
    """Whether a constant has a name: a `let`, or the column of a test's table."""
    text = typed.span.text
    return text.isidentifier() and text not in ("true", "false", "null")


def _compiled(typed: Typed) -> _Run:
    span, name = typed.span, "part"
    if any(read.partition(".")[0] in _AFTER for read in typed.reads):
        after = generate.afterwards(typed, span, name)
        return lambda f: after(f.request, _sure(f.model), _sure(f.decision), _sure(f.response), 0.0)
    if LOOP in typed.free or any(read.startswith(_OVER) for read in typed.reads):
        column: Any = generate.bool_column(typed, span, name)  # Any: of what type, the node knows
        return lambda f: _at(column, f)
    if any(read.startswith("model.") for read in typed.reads):
        after = generate.afterwards(typed, span, name)
        return lambda f: _of_model(after, f)
    condition = generate.condition(typed, span, name)
    return lambda f: condition(f.request, f.pool, f.now_s)


# Any: see `_compiled`.
def _at(column: Any, frame: Frame) -> Any:
    """Return what *column* says of the endpoint of *frame*, or of any where it has none."""
    among, one = frame.candidates, frame.endpoint
    if one is None:
        return column(among, frame.request, frame.pool, frame.now_s)[0] if among else _NOWHERE
    if not any(each is one for each in among):
        among = [one]
    place = next(i for i, each in enumerate(among) if each is one)
    return column(among, frame.request, frame.pool, frame.now_s)[place]


# Any: what one of the places of a Frame holds.
def _sure(value: Any) -> Any:
    """Return *value*, which the checker says is known where the expression stands."""
    assert value is not None, "the checker lets no expression read what its place has not"
    return value


# Any: see `_compiled`.
def _of_model(after: Any, frame: Frame) -> Any:
    model = frame.model if frame.model is not None else getattr(frame.request, "asked", None)
    if model is None:
        return RuleFault("missing")
    return after(frame.request, model, frame.decision, frame.response, frame.now_s)
