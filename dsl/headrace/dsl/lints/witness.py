"""Values on which an expression comes out in a certain way: found by trying, never by belief.

What the case split thinks possible is evaluated by the function that the host would run;
only what that confirms is shown to an author.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

from headrace.dsl import vocabulary
from headrace.dsl.cel import generate
from headrace.dsl.cel.interval import Interval
from headrace.dsl.cel.kinds import Base, Unit
from headrace.dsl.cel.typed import Op, Typed, Variable
from headrace.dsl.cel.values import Timestamp
from headrace.dsl.lints.cases import Case
from headrace.dsl.lints.terms import parts, variables
from headrace.dsl.lints.texts_known import Texts
from headrace.dsl.values import EndpointValues, PoolValues, RequestValues

_TRIES_MAX = 600
_CHOICES_MAX = 7  # of one name
_QUOTES = ")'\""  # of the key of a call
_LARGE = 1e6  # stands for what has no upper end
_SHOWN_MAX = 4
Value = bool | int | float | str | None | tuple[str, ...] | Mapping[str, str]
Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Witness:
    """What the names were, and what came out."""

    values: Values
    result: object

    @property
    def text(self) -> str:
        """The values that matter: ``endpoint.queue = 3, request.stream = true``."""
        shown = [f"{name} = {_shown(name, value)}" for name, value in self.values.items()]
        more = ", ..." if len(shown) > _SHOWN_MAX else ""
        return ", ".join(shown[:_SHOWN_MAX]) + more


def search(
    typed: Typed, wanted: Callable[[object], bool], case: Case | None = None
) -> Witness | None:
    """Return values on which the result of *typed* is *wanted*; None if no try gave that.

    *case* says where to look first.
    """
    run = evaluator(typed)
    for values in _assignments(typed, case or Case()):
        result = run(values)
        if wanted(result):
            return Witness(values, result)
    return None


def evaluator(typed: Typed) -> Callable[[Values], object]:
    """Return the function that gives the value of *typed*, or its RuleFault, on given values."""
    numeric = typed.type.base is not Base.BOOL
    make = generate.number_column if numeric else generate.bool_column
    column = make(typed, typed.span, "lint")

    def run(values: Values) -> object:
        endpoint, request, pool = facts(values)
        return column([endpoint], request, pool, 0.0)[0]

    return run


def facts(values: Values) -> tuple[EndpointValues, RequestValues, PoolValues]:
    """Return the values by vocabulary name as what generated code reads; unsaid ones are plain."""
    roots = SimpleNamespace(
        e=SimpleNamespace(
            address="",
            scraped_at_s=0.0,
            metrics=values.get("endpoint.metric", {}),
            outlook=SimpleNamespace(),
        ),
        request=SimpleNamespace(
            now=Timestamp(0),
            prefix={},
            asked=SimpleNamespace(),
            hints=SimpleNamespace(),
            work=None,
            bonds=SimpleNamespace(session_at="-", cold={}, media={}),
        ),
        pool=SimpleNamespace(max=SimpleNamespace(), min=SimpleNamespace(), p90=SimpleNamespace()),
    )
    for name, variable in vocabulary.variables().items():
        value = values.get(name, _plain(variable))
        match name:
            case "endpoint.age":
                roots.e.scraped_at_s = -_number(value)
            case "endpoint.prefix_match":
                roots.request.prefix = {"": _number(value)}
            case "endpoint.session_match":
                roots.request.bonds.session_at = "" if value else "-"
            case "endpoint.cold_order":
                roots.request.bonds.cold = {"": value}
            case "endpoint.media_match":
                roots.request.bonds.media = {"": _number(value)}
            case "endpoint.peer_labels" | "endpoint.peer_zone":
                setattr(roots.request.bonds, name.partition(".")[2], value)
            case "endpoint.metric" | "now":
                pass
            case _ if variable.hoisted == "request.work":
                _, _, last = name.partition(".")
                setattr(roots.e.outlook, last, _constantly(value))
            case _ if variable.root in ("endpoint", "request", "pool", "model"):
                *path, last = variable.code.split(".")
                path = ["request", "asked"] if path[0] == "model" else path
                at: object = roots
                for word in path:
                    at = getattr(at, word)
                setattr(at, last, value)
            case _:
                pass
    return (
        cast(EndpointValues, roots.e),
        cast(RequestValues, roots.request),
        cast(PoolValues, roots.pool),
    )


def _constantly(value: Value) -> Callable[..., Value]:
    return lambda *_: value


def _number(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _plain(variable: Variable) -> Value:
    if variable.optional:
        return None
    low = variable.range.lo if variable.range else 0
    match variable.type.base:
        case Base.BOOL:
            return False
        case Base.INT:
            return max(0, int(low))
        case Base.DOUBLE | Base.DURATION:
            return max(0.0, float(low))
        case Base.LIST:
            return ()
        case Base.MAP:
            return {}
        case _:
            return ""


def _assignments(typed: Typed, case: Case) -> Iterator[Values]:
    """Yield values for what *typed* reads: those of *case* first, then its corners."""
    names = variables(typed)
    choices = {n: _choices(v, typed, case)[:_CHOICES_MAX] for n, v in sorted(names.items())}
    if "endpoint.metric" in typed.reads:
        choices["endpoint.metric"] = list(_metrics(typed))
    # The first of every choice first, then those that differ from it in few places.
    every = (range(len(c)) for c in choices.values())
    tried = itertools.islice(itertools.product(*every), 50 * _TRIES_MAX)
    ordered = sorted(tried, key=lambda places: (sum(map(bool, places)), places))
    for places in ordered[:_TRIES_MAX]:
        yield {n: choices[n][i] for n, i in zip(choices, places, strict=True)}


def _choices(variable: Variable, typed: Typed, case: Case) -> list[Value]:
    name = variable.name
    found: list[Value] = []
    match variable.type.base:
        case Base.BOOL:
            first = case.truths.get(name, True)
            found = [first, not first]
        case Base.INT | Base.DOUBLE | Base.DURATION:
            found = list(_numbers(variable, typed, case.ranges.get(name)))
        case Base.STRING:
            constants = (p.value for p in parts(typed) if p.op is Op.CONST)
            texts = [c for c in constants if isinstance(c, str)]
            found = [case.texts.get(name, Texts()).example(), *texts, "a"]
        case Base.LIST:
            found = [(), ("a",), ("",)]
        case Base.MAP:
            found = [_entries(case), {}]
        case _:
            pass
    found = list(dict.fromkeys(found)) if variable.type.base is not Base.MAP else found
    return [*found, None] if variable.optional else found


def _entries(case: Case) -> Value:
    """Return the headers or labels that *case* wants."""
    found: dict[str, str] = {}
    for name, texts in case.texts.items():
        if name.startswith("CALL 'header'("):
            header = name.rpartition("string ")[2].strip(_QUOTES).lower()
            found[header] = texts.example()
        elif name.startswith("CALL 'cookie'("):
            cookie = f"{name.rpartition('string ')[2].strip(_QUOTES)}={texts.example()}"
            found["cookie"] = f"{found['cookie']}; {cookie}" if "cookie" in found else cookie
    return found


def _numbers(variable: Variable, typed: Typed, within: Interval | None) -> Iterable[Value]:
    range_ = variable.range or Interval(-math.inf, math.inf)
    low, high = max(range_.lo, -_LARGE), min(range_.hi, _LARGE)
    tried = [low, high, (low + high) / 2]
    if within is not None:
        near = 0 if within.has(0) else within.lo if within.lo > 0 else within.hi
        ends = [max(within.lo, low), min(within.hi, high)]
        inner = ends[0] + min(1, (ends[1] - ends[0]) / 2)
        tried = [near, inner, sum(ends) / 2, *ends, *tried]
    constants = (p.value for p in parts(typed) if p.op is Op.CONST and p.type.base is not Base.BOOL)
    step = 1 if variable.type.base is Base.INT else 2.0**-10
    for constant in constants:
        if isinstance(constant, int | float):
            tried += [constant + step, constant, constant - step]
    whole = variable.type.base is Base.INT
    for number in tried:
        value = int(number) if whole else float(number)
        if range_.has(value):
            yield value


def _metrics(typed: Typed) -> Iterator[Value]:
    names = [str(p.args[0].value) for p in parts(typed) if p.value == "metric" and p.args]
    yield {}
    for number in (0.0, 1.0, _LARGE):
        yield cast(Value, dict.fromkeys(names, number))


def _shown(name: str, value: Value) -> str:
    variable = vocabulary.variables().get(name)
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "missing"
        case float() if variable and variable.type.unit is Unit.RATIO:
            return f"{value * 100:.6g}%"
        case float() if variable and variable.type.base is Base.DURATION:
            return f"{value:.6g}s"
        case int() | float():
            return f"{value:_}" if isinstance(value, int) else f"{value:.6g}"
        case str():
            return f'"{value}"'
        case tuple():
            return f"[{', '.join(value)}]"
        case _:
            return f"{{{', '.join(f'{k}: {v}' for k, v in sorted(value.items()))}}}"
