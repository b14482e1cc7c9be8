"""The values at which the rules of policies change their mind: their constants ± one unit."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from headrace.dsl.cel.kinds import Base, Unit
from headrace.dsl.cel.patterns import compile_pattern
from headrace.dsl.cel.typed import Op, Typed
from headrace.dsl.compiled import Rule
from headrace.dsl.program import Program
from headrace.dsl.vocabulary import variables

V = TypeVar("V")
VALUES_MAX = 32  # of one name
_HEADER = re.compile(r"""header\(\s*["']([^"']+)["']|headers\[\??\s*["']([^"']+)["']""")
_HEADER_IN = re.compile(r"""["']([^"']+)["']\s+in\s+request\.headers""")
_OBJECTIVE = "x-gateway-inference-objective"
_UNITS: Mapping[tuple[Base, Unit], float] = {(Base.DOUBLE, Unit.RATIO): 0.01}


@dataclass(slots=True)
class Boundaries:
    """Where to look for a difference. Written by `boundaries` only.

    numbers  name -> values, e.g. ``endpoint.queue``; durations in seconds
    texts    name -> values, e.g. ``endpoint.zone``
    headers  name of a header -> values
    """

    numbers: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    texts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    headers: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    models: list[str] = field(default_factory=list[str])
    prompts: list[str] = field(default_factory=list[str])

    @property
    def size(self) -> int:
        """How many values there are."""
        numbers = sum(len(values) for values in self.numbers.values())
        texts = (*self.texts.values(), *self.headers.values(), self.models, self.prompts)
        return numbers + sum(len(values) for values in texts)


def boundaries(programs: Iterable[Program]) -> Boundaries:
    """Return the boundaries of all *programs* together."""
    found = Boundaries()
    for program in programs:
        for model in program.models:
            _add(found.models, model.replace("*", "x"))
        for name in program.objectives:
            _add(found.headers.setdefault(_OBJECTIVE, []), name)
        for guard in program.guards:
            for pattern in guard.patterns:
                _prompt(found, pattern)
            for text in (*guard.deny, *(_SAMPLES[n] for n in guard.detect if n in _SAMPLES)):
                _add(found.prompts, text)
        for rule in program.rules:
            _rule(found, rule)
    _add(found.models, "unknown-model")
    return found


def _rule(found: Boundaries, rule: Rule) -> None:
    if rule.typed is None or any(n.startswith(("decision.", "response.")) for n in rule.reads):
        return
    constants = list(_constants(rule.typed))
    texts = [c for c in constants if isinstance(c, str)]
    names = {a or b for a, b in _HEADER.findall(rule.text)} | set(_HEADER_IN.findall(rule.text))
    for name in sorted(name.lower() for name in names):
        values = found.headers.setdefault(name, [])
        for text in (*(t for t in texts if t.lower() != name), "another"):
            _add(values, text)
    known = variables()
    for name in sorted(rule.reads & known.keys()):
        variable = known[name]
        name = _of_endpoints(name)
        if variable.type.base is Base.STRING or variable.type.base is Base.LIST:
            for text in texts:
                _add(found.texts.setdefault(name, []), text)
        elif variable.type.numeric or variable.type.base is Base.DURATION:
            low, high = _bounds(variable.range.lo, variable.range.hi) if variable.range else _ALL
            unit = _unit(variable.type.base, variable.type.unit)
            for number in (c for c in constants if not isinstance(c, str)):
                for value in (number, number - unit, number + unit):
                    if low <= value <= high:
                        whole = variable.type.base is Base.INT
                        _add(found.numbers.setdefault(name, []), round(value, 9 * (not whole)))


# What detectors find: numbers and names that are kept for examples.
_SAMPLES = {
    "card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "email": "ann@example.com",
    "phone": "+1 202-555-0143",
    "ip": "192.0.2.1",
}
_ALL = (float("-inf"), float("inf"))


def _bounds(low: float, high: float) -> tuple[float, float]:
    return low, min(high, 1e6)


def _unit(base: Base, unit: Unit) -> float:
    if base is Base.DURATION:
        return 0.001
    return _UNITS.get((base, unit), 1.0)


def _of_endpoints(name: str) -> str:
    """Return the value of endpoints that a value of the pool is made of."""
    root, _, rest = name.partition(".")
    return f"endpoint.{rest.rpartition('.')[2]}" if root == "pool" else name


def _constants(typed: Typed) -> Iterable[float | str]:
    left = [typed]
    while left:
        node = left.pop()
        left += node.args
        constant = node.value if node.op is Op.CONST else None
        if isinstance(constant, (int, float, str)) and not isinstance(constant, bool):
            yield constant


def _prompt(found: Boundaries, pattern: str) -> None:
    """Note a text that *pattern* finds, if it finds itself: most words do."""
    text = pattern.removeprefix("(?i)").replace("\\b", "")
    compiled = compile_pattern(pattern)
    if not isinstance(compiled, str) and compiled.search(text.encode()):
        _add(found.prompts, text)


def _add(values: list[V], value: V) -> None:
    if value not in values and len(values) < VALUES_MAX:
        values.append(value)
