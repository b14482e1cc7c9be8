"""Random expressions: the official runtime must give the same value, or an error where we do.

What is left out, because the official runtime does otherwise than the standard says or leaves
open: texts of numbers with spaces or in hex, leap seconds, durations beyond 292 years, the sign of
NaN in texts, and the choice among several faults.
"""

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given, settings

from headrace.dsl.cel import CelError, Fault, Uint, compile
from tests.dsl.cel.expressions import ANY, TYPES, VALUES

cel = pytest.importorskip("cel_expr_python.cel")
KINDS: Mapping[type, str] = {
    bool: "bool",
    int: "int",
    Uint: "uint",
    float: "double",
    str: "string",
    list: "list",
}
Oracle = Any  # the official runtime is a compiled module with few types


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    from cel_expr_python.ext import ext_bindings, ext_math, ext_optional, ext_strings

    kinds: Mapping[str, Any] = {
        "i": cel.Type.INT,
        "u": cel.Type.UINT,
        "d": cel.Type.DOUBLE,
        "s": cel.Type.STRING,
        "b": cel.Type.BOOL,
        "y": cel.Type.BYTES,
        "li": cel.Type.List(cel.Type.INT),
        "ls": cel.Type.List(cel.Type.STRING),
        "m": cel.Type.Map(cel.Type.STRING, cel.Type.INT),
        "any": cel.Type.DYN,
    }
    extensions = [
        ext_bindings.ExtBindings(),
        ext_math.ExtMath(),
        ext_optional.ExtOptional(),
        ext_strings.ExtStrings(),
    ]
    return cel.NewEnv(variables=kinds, extensions=extensions)


def _theirs(oracle: Oracle, text: str, values: Mapping[str, object]) -> tuple[str, object]:
    try:
        found = oracle.compile(text).eval(data=dict(values))
    except RuntimeError as error:
        return "refused", str(error)
    value = found.plain_value()
    value = value.replace("-nan", "nan") if isinstance(value, str) else value
    kind = str(found.type().name()).partition("<")[0].lower()
    return (kind, None if kind == "error" else value)


def _ours(text: str, values: Mapping[str, object]) -> tuple[str, object]:
    try:
        value = compile(text, TYPES).evaluate(values)
    except CelError as error:
        return "refused", str(error)
    except Fault:
        return "error", None
    return KINDS[type(value)], value


def _same(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    return a == b


@settings(max_examples=200, deadline=None)
@given(text=ANY, values=VALUES)
def test_the_official_runtime_agrees(
    oracle: Oracle, text: str, values: Mapping[str, object]
) -> None:
    theirs, ours = _theirs(oracle, text, values), _ours(text, values)
    assume(theirs[0] != "refused")  # it has fewer overloads than we have

    assert ours[0] == theirs[0], (text, values, ours, theirs)
    assert ours[0] == "error" or _same(ours[1], theirs[1]), (text, values, ours, theirs)
