"""Ask a name of the library of endpoints that are written down."""

from collections.abc import Sequence

from headrace.dsl import library
from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program, RuleFault
from headrace.dsl.source import Source
from headrace.extensions.picker.snapshot import Endpoint, pool_state
from tests.extensions.picker.build import Asked

VERBS = {"filter": "require", "scorer": "score", "cost": "minimize"}


def program(name: str, *overrides: str) -> Program:
    """Return a policy whose default profile uses *name* and nothing else."""
    kind = library.definition(name).kind
    text = "\n".join([
        "sched 1",
        'pool gemma { endpoints "10.0.0.1:8000" }',
        "model chatbot { route gemma }",
        *(f"override let {each}" for each in overrides),
        f"profile default {{ {VERBS[kind]} {name} }}",
    ])  # fmt: skip
    return compile_policy([Source("library.sched", text)])


def ask(
    name: str, endpoints: Sequence[Endpoint], request: Asked, *overrides: str
) -> list[float | bool | RuleFault]:
    """Return what the library's *name* says of *endpoints*."""
    profile = program(name, *overrides).profiles["default"]
    pool = pool_state("gemma", endpoints)
    for rule in (*profile.require, *(t.scorer for t in profile.terms)):
        return list(rule.column(endpoints, request, pool, 0.0))
    return list(profile.costs[0].cost.column(endpoints, request, pool, 0.0))


def endpoint(n: int, **facts: object) -> Endpoint:
    return Endpoint(f"e{n}", f"10.0.0.{n}:8000", ready=True, **facts)  # type: ignore[arg-type]
