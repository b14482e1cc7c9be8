"""The same six expressions in pure CEL, evaluated by other runtimes, endpoint by endpoint."""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from headrace.extensions.picker.snapshot import Endpoint, PoolState
from headrace.extensions.picker.values import Seen

EXPRESSIONS = (
    "endpoint.ready && endpoint.age < 2.0",
    "endpoint.prefix_match",
    "1.0 - endpoint.kv_cache",
    "1.0 / (1.0 + double(endpoint.queue))",
    "1.0 / (1.0 + double(endpoint.running))",
    "request.adapter in endpoint.adapters ? 1.0 : endpoint.adapter_slots > 0 ? 0.8 : 0.0",
)
Evaluate = Callable[[PoolState, Seen], object]
Value = Any  # whatever the two runtimes take and give; neither says


def facts(endpoint: Endpoint, request: Seen) -> dict[str, Value]:
    """Return what the expressions read of *endpoint*."""
    return {
        "ready": endpoint.ready,
        "age": 0.1,
        "prefix_match": request.prefix.get(endpoint.address, 0.0),
        "kv_cache": endpoint.kv_cache,
        "queue": endpoint.queue,
        "running": endpoint.running,
        "adapters": list(endpoint.adapters),
        "adapter_slots": endpoint.adapter_slots,
    }


def cel_expr_python() -> Evaluate | None:
    """Return an evaluation by the official runtime; None if it is not installed."""
    if find_spec("cel_expr_python") is None:
        return None
    cel: Value = import_module("cel_expr_python.cel")
    any_map = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    environment = cel.NewEnv(variables={"endpoint": any_map, "request": any_map})
    programs = [environment.compile(text) for text in EXPRESSIONS]

    def evaluate(pool: PoolState, request: Seen) -> list[list[Value]]:
        asked = {"adapter": request.adapter}
        found: list[list[Value]] = []
        for endpoint in pool.endpoints:
            activation = environment.Activation(
                {"endpoint": facts(endpoint, request), "request": asked}
            )
            found.append([program.eval(activation).value() for program in programs])
        return found

    return evaluate


def cel_python() -> Evaluate | None:
    """Return an evaluation by cel-python; None if it is not installed."""
    if find_spec("celpy") is None:
        return None
    celpy: Value = import_module("celpy")
    to_cel: Value = import_module("celpy.adapter").json_to_cel
    environment = celpy.Environment(runner_class=celpy.CompiledRunner)  # its faster one
    programs = [environment.program(environment.compile(text)) for text in EXPRESSIONS]

    def evaluate(pool: PoolState, request: Seen) -> list[list[Value]]:
        asked: Mapping[str, Value] = {"adapter": request.adapter}
        found: list[list[Value]] = []
        for endpoint in pool.endpoints:
            values: Value = {
                "endpoint": to_cel(facts(endpoint, request)),
                "request": to_cel(dict(asked)),
            }
            found.append([program.evaluate(values) for program in programs])
        return found

    return evaluate
