"""A request and a state of pools that two policies are asked about, and its `test` block."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import cast

from headrace.dsl.cases import Given, GivenEndpoint, GivenPool
from headrace.dsl.program import Program

Values = Mapping[str, Given]
_DURATIONS = frozenset(
    (
        "age",
        "retry_after",
        "predicted_ttft",
        "decode_delay",
        "itl",
        "eviction_cost",
        "ttft",
        "slo_slack",
    )
)
_RATIOS = frozenset(("kv_cache", "gpu", "prefix_match", "error_rate"))


@dataclass(frozen=True, slots=True)
class Candidate:
    """What both are asked. *pools*: name -> the values of its endpoints, first to last."""

    request: Values
    pools: Mapping[str, tuple[Values, ...]] = field(default_factory=dict[str, tuple[Values, ...]])

    def given(self, program: Program) -> tuple[GivenPool, ...]:
        """Return the pools as a test of *program* gives them."""
        return tuple(
            GivenPool(pool, tuple(_endpoints(values, program, pool)), program.pools[pool].span)
            for pool, values in self.pools.items()
        )

    def simpler(self) -> Iterator["Candidate"]:
        """Yield what is the same but for one thing less, largest things first."""
        for pool in self.pools:
            yield Candidate(self.request, {p: v for p, v in self.pools.items() if p != pool})
        for key in self.request:
            if key != "model":
                yield Candidate(_without(self.request, key), self.pools)
        headers = self.request.get("headers")
        if isinstance(headers, Mapping):
            for name in headers:
                rest = _without(headers, name)
                yield Candidate({**self.request, "headers": rest}, self.pools)
        for pool, endpoints in self.pools.items():
            yield from self._fewer(pool, endpoints)

    def _fewer(self, pool: str, endpoints: tuple[Values, ...]) -> Iterator["Candidate"]:
        for i, values in enumerate(endpoints):
            if len(endpoints) > 1:
                rest = endpoints[:i] + endpoints[i + 1 :]
                yield Candidate(self.request, {**self.pools, pool: rest})
            for key in values:
                less = (*endpoints[:i], _without(values, key), *endpoints[i + 1 :])
                yield Candidate(self.request, {**self.pools, pool: less})


def _without(values: Values, key: str) -> dict[str, Given]:
    return {k: v for k, v in values.items() if k != key}


def name_of(place: int) -> str:
    """Return what the endpoint at *place* is called."""
    return "abcdefgh"[place]


def _endpoints(
    endpoints: tuple[Values, ...], program: Program, pool: str
) -> Iterator[GivenEndpoint]:
    for i, values in enumerate(endpoints):
        yield GivenEndpoint(name_of(i), values, program.pools[pool].span)


def block(candidate: Candidate, title: str, expects: Mapping[str, object]) -> str:
    """Return the `test` block that asks *candidate* and expects these values of `decision.*`."""
    lines = [f"test {json.dumps(title, ensure_ascii=False)} {{"]
    for pool, endpoints in candidate.pools.items():
        lines.append(f"  given pool {_name(pool)} {{")
        for i, values in enumerate(endpoints):
            lines.append(f"    endpoint {name_of(i)} {written(values)}")
        lines.append("  }")
    lines.append(f"  when request {written(candidate.request)}")
    lines += [f"  expect decision.{n} == {written(v, n)}" for n, v in expects.items()]
    return "\n".join((*lines, "}\n"))


def _name(text: str) -> str:
    plain = text.replace("-", "").replace("_", "").isalnum() and text.isascii()
    return text if plain else json.dumps(text, ensure_ascii=False)


def _plain(value: float, by: int) -> str:
    """Return *value* times *by*, exactly, without an exponent or zeros behind the point."""
    text = f"{Decimal(repr(value)) * by:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def written(value: object, key: str = "") -> str:
    """Return *value*, of the field *key*, as an expression."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case None:
            return "null"
        case int() | float() if key in _RATIOS:
            return f"{_plain(value, 100)}%"
        case int() | float() if key in _DURATIONS:
            return f"{_plain(value, 1000)}ms"
        case Mapping():
            entries = cast(Mapping[str, object], value).items()
            inner = ", ".join(f"{json.dumps(k)}: {written(v, k)}" for k, v in entries)
            return f"{{ {inner} }}" if inner else "{}"
        case tuple():
            return f"[{', '.join(map(written, cast(tuple[object, ...], value)))}]"
        case _:
            return repr(value)
