"""Random expressions: cel-python as a second opinion, and the checker's proofs put to the test.

Left out of the comparison, because cel-python deviates from CEL there: int with double
comparisons, doubles divided by zero, the remainder of the least int by -1, and
methods of joined strings (a join gives it a plain Python string).
"""

import functools
import math
import sys
from typing import Any, cast

import celpy
import pytest
from celpy import celtypes
from celpy.adapter import json_to_cel
from celpy.evaluation import CELEvalError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from headrace.dsl.program import RuleFault
from tests.dsl.facts import EndpointFacts, PoolFacts, RequestFacts, checked, value

INTS = st.sampled_from([0, 1, 2, 3, 7, 100, 2**31, 2**62, 2**63 - 1])
DOUBLES = st.sampled_from([0.5, 1.0, 2.25, 100.0, 1e300])
TEXTS = st.sampled_from(["", "a", "ab", "chatbot", "x-job"])


def _join(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda found: f"({' '.join(found)})")


def _ops(*ops: str) -> st.SearchStrategy[str]:
    return st.sampled_from(ops)


@functools.cache
def ints(depth: int) -> st.SearchStrategy[str]:
    names = ["endpoint.queue", "endpoint.running", "request.priority"]
    leaves = st.one_of(INTS.map(str), st.sampled_from(names))
    if depth == 0:
        return leaves
    less = ints(depth - 1)
    return st.one_of(
        leaves,
        _join(less, _ops("+", "-", "*", "/", "%"), less),
        less.map(lambda a: f"(-({a}))"),
        st.tuples(bools(depth - 1), less, less).map(lambda p: f"({p[0]} ? {p[1]} : {p[2]})"),
        texts().map(lambda t: f"size({t})"),
    )


@functools.cache
def doubles(depth: int) -> st.SearchStrategy[str]:
    names = ["endpoint.kv_cache", "pool.kv_cache"]
    leaves = st.one_of(DOUBLES.map(repr), st.sampled_from(names))
    if depth == 0:
        return leaves
    less = doubles(depth - 1)
    return st.one_of(
        leaves,
        _join(less, _ops("+", "-", "*"), less),
        _join(less, _ops("/"), DOUBLES.map(repr)),
        ints(depth - 1).map(lambda a: f"double({a})"),
    )


@functools.cache
def texts() -> st.SearchStrategy[str]:
    names = ["request.model", "request.adapter", "endpoint.name"]
    return st.one_of(TEXTS.map(lambda t: f'"{t}"'), st.sampled_from(names))


@functools.cache
def bools(depth: int) -> st.SearchStrategy[str]:
    leaves = st.sampled_from(["true", "false", "endpoint.ready", "request.stream"])
    if depth == 0:
        return leaves
    compared = _ops("<", "<=", ">", ">=", "==", "!=")
    less = bools(depth - 1)
    return st.one_of(
        leaves,
        _join(ints(depth - 1), compared, ints(depth - 1)),
        _join(doubles(depth - 1), compared, doubles(depth - 1)),
        _join(texts(), compared, texts()),
        _join(less, _ops("&&", "||"), less),
        less.map(lambda a: f"!({a})"),
        st.tuples(texts(), texts()).map(lambda p: f"{p[0]}.contains({p[1]})"),
        texts().map(lambda t: f"({t} in endpoint.adapters)"),
        st.tuples(ints(depth - 1), ints(depth - 1)).map(
            lambda p: f"[{p[0]}, 1].exists(x, x == {p[1]})"
        ),
    )


ANY = st.one_of(ints(3), doubles(3), texts(), bools(3))
ENDPOINTS = st.builds(
    EndpointFacts,
    queue=st.integers(0, 5) | st.just(2**31 - 1),
    running=st.integers(0, 2),
    kv_cache=st.floats(0, 1),
    ready=st.booleans(),
)
REQUESTS = st.builds(RequestFacts, priority=st.integers(-3, 3), stream=st.booleans())


@pytest.fixture(scope="module")
def second_opinion() -> celpy.Environment:
    limit = sys.getrecursionlimit()
    environment = celpy.Environment()
    sys.setrecursionlimit(limit)  # cel-python raises it for the whole process
    return environment


def _opinion(
    environment: celpy.Environment, text: str, endpoint: EndpointFacts, request: RequestFacts
) -> object:
    untyped = cast(Any, environment)  # Any: cel-python's trees and contexts have no types
    program = untyped.program(untyped.compile(text))
    facts: dict[str, Any] = {
        "endpoint": json_to_cel(
            {
                "queue": endpoint.queue,
                "running": endpoint.running,
                "ready": endpoint.ready,
                "name": endpoint.name,
                "adapters": list(endpoint.adapters),
            }
        ),
        "request": json_to_cel({f: getattr(request, f) for f in ("model", "adapter", "priority")}),
        "pool": json_to_cel({}),
    }
    doubles_of = {
        "endpoint": {"kv_cache": endpoint.kv_cache},
        "pool": {"kv_cache": PoolFacts().kv_cache},
    }
    for root, fields in doubles_of.items():
        for name, number in fields.items():
            facts[root][celtypes.StringType(name)] = celtypes.DoubleType(number)
    facts["request"][celtypes.StringType("stream")] = celtypes.BoolType(request.stream)
    try:
        return program.evaluate(facts)
    except CELEvalError:
        return None


@settings(max_examples=150, deadline=None)
@given(text=ANY, endpoint=ENDPOINTS, request=REQUESTS)
def test_cel_python_agrees(
    second_opinion: celpy.Environment, text: str, endpoint: EndpointFacts, request: RequestFacts
) -> None:
    ours = value(text, endpoint, request)
    theirs = _opinion(second_opinion, text, endpoint, request)
    assume("%" not in text or ours != RuleFault("overflow"))

    if isinstance(ours, RuleFault):
        assert theirs is None, text
    elif isinstance(ours, float) and math.isnan(ours):
        assert isinstance(theirs, float)
        assert math.isnan(theirs)
    else:
        assert theirs == ours, text


@settings(max_examples=200, deadline=None)
@given(text=ANY, endpoint=ENDPOINTS, request=REQUESTS)
def test_what_the_checker_proves_is_so(
    text: str, endpoint: EndpointFacts, request: RequestFacts
) -> None:
    typed = checked(text)[0]
    found = value(text, endpoint, request)

    if isinstance(found, RuleFault):
        assert typed.fails
    elif isinstance(found, int | float):
        assert typed.numbers.nan if found != found else typed.numbers.has(found)
