"""What the vocabulary promises is what the stages bring."""

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.dsl.vocabulary import VARIABLES
from headrace.extensions.body_router.values import Facts
from headrace.extensions.picker.store import Store

BASE = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\nmodel chat { route gemma }\n'
ROOTS = ("request", "endpoint", "pool", "now", "model")
NAMED = {"endpoint.metric": 'endpoint.metric("vllm:num_preemptions_total")'}  # how it is read
PERFORMED = [v for v in VARIABLES if v.root in ROOTS]


@pytest.mark.parametrize("name", [v.name for v in PERFORMED])
def test_a_name_that_is_performed_has_a_value(name: str) -> None:
    optional = next(v.optional for v in PERFORMED if v.name == name)
    read = NAMED.get(name, name)
    same = f"!has({name}) || {name} == {name}" if optional else f"{read} == {read}"
    text = f"{BASE}filter same = {same}\nprofile default {{ require same  pick random }}"
    program = compile_policy([Source("t", text)])
    pool = Store.for_program(program).snapshot.pools["gemma"]
    column = program.profiles["default"].require[0].column

    assert column(pool.endpoints, Facts(), pool, 0.0) == [True]
