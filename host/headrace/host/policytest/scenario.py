"""A state and a request, as files give them, become a case as a `test` block gives it.

They are written out as one, and the compiler reads that: it knows every field and its type.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import msgspec

from headrace.dsl.program import Program

CHARS_MAX = 1 << 20
_QUANTITY = re.compile(r"\d+(\.\d+)?(%|ms|s|min|h)")
_DURATIONS = frozenset(
    ("age", "predicted_ttft", "decode_delay", "itl", "eviction_cost", "ttft", "slo_slack")
)
_TEXTS = frozenset(("zone", "role", "name"))


class Unreadable(Exception):
    """A state or a request that means nothing. The message says what to write."""


def scenario(name: str, state: object, request: object, program: Program) -> str:
    """Return a file with a test that gives *state* and asks with *request*.

    state    ``{"pools": {POOL: {ENDPOINT: {FIELD: VALUE}}}}``; None for idle endpoints
    request  ``{FIELD: VALUE}``; None for a plain one

    Raises:
        Unreadable: they have another shape.
    """
    lines = ["sched 1", f"test {_quoted(name)} {{", *_pools(state)]
    fields = dict(_mapping({} if request is None else request, "the request"))
    fields.setdefault("model", _any_model(program))
    lines.append(f"  when request {_map(fields)}")
    text = "\n".join([*lines, "  expect !decision.blocked", "}"])
    if len(text) > CHARS_MAX:
        raise Unreadable(f"state and request together have more than {CHARS_MAX >> 20} MiB")
    return text


def _pools(state: object) -> Iterator[str]:
    if state is None:
        return
    whole = _mapping(state, "the state")
    pools = _mapping(whole.get("pools", whole), "`pools`")
    for pool, endpoints in pools.items():
        yield f"  given pool {_name(pool)} {{"
        for name, fields in _endpoints(pool, endpoints):
            yield f"    endpoint {_name(name)} {_map(_mapping(fields, f'endpoint `{name}`'))}"
        yield "  }"


def _endpoints(pool: str, endpoints: object) -> Iterator[tuple[str, object]]:
    """Yield the endpoints of a pool: of a map by name, or of a list whose items have a name."""
    if isinstance(endpoints, Mapping):
        yield from cast(Mapping[str, object], endpoints).items()
        return
    if not isinstance(endpoints, Sequence) or isinstance(endpoints, str):
        raise Unreadable(f"pool `{pool}`: write a map from endpoint to its fields")
    for i, item in enumerate(cast(Sequence[object], endpoints)):
        fields = dict(_mapping(item, f"endpoint {i} of pool `{pool}`"))
        yield str(fields.pop("name", f"endpoint-{i}")), fields


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if isinstance(value, Mapping):
        pairs = cast(Mapping[object, object], value)
        if all(isinstance(key, str) for key in pairs):
            return cast(Mapping[str, object], pairs)
    raise Unreadable(f"{what} is no map from names to values")


def _map(fields: Mapping[str, object]) -> str:
    written = (f"{_quoted(name)}: {_value(name, value)}" for name, value in fields.items())
    return f"{{ {', '.join(written)} }}" if fields else "{}"


def _value(name: str, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float() if name in _DURATIONS:
            return f"{value:.9f}".rstrip("0").rstrip(".") + "s"
        case int():
            return str(value)
        case float():
            return _number(name, value)
        case str():
            plain = name in _TEXTS or not _QUANTITY.fullmatch(value)
            return _quoted(value) if plain else value
        case Mapping():
            inside = cast(Mapping[str, object], value).items()
            return f"{{ {', '.join(f'{_quoted(k)}: {_quoted(str(v))}' for k, v in inside)} }}"
        case Sequence():
            items = cast(Sequence[object], value)
            return f"[{', '.join(_quoted(str(item)) for item in items)}]"
        case _:
            raise Unreadable(f"`{name}` has no value: write one, or leave it out")


def _number(name: str, value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        raise Unreadable(f"`{name}` is no number: write one, or leave it out")
    return f"{value:.12f}".rstrip("0").rstrip(".") if value != int(value) else f"{value:.1f}"


def _name(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) else _quoted(text)


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _any_model(program: Program) -> str:
    """Return a model of the policy: the first that is no pattern, else a name that fits one."""
    names = [model.name for model in program.models.values() if not model.pattern]
    patterns = [model.name.replace("*", "any") for model in program.models.values()]
    return next(iter([*names, *patterns]), "any")
