"""What the whole chain makes of a named objective, and what an outcome keeps of our answer."""

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.host.policytest.run import Ran, Runner
from headrace.host.policytest.world import world
from headrace.host.telemetry.tracing import Tracing

POLICY = """sched 1
pool gemma { endpoints "10.0.0.1:8000" }
objective interactive { priority 10 }
objective batch { priority -5 }
model chat { objective interactive  route gemma }
class nightly when request.header("x-job") != "" { priority -20 }
trust { objective from request.header("x-from") == "mesh" }
overload when true { shed when request.priority < -10 with 429 "come back tonight" retry after 30s }
"""
TRACE = """
trace {
  always when response.status < 300  always when decision.shed
  attribute job = request.header("x-job")
  attribute kind = decision.class
  attribute told = response.headers[?"x-headrace-reason"].orValue("")
  attribute later = decision.retry_after
  attribute urgency = model.priority
}
"""
ASKS = {"x-gateway-inference-objective": "batch"}


def ran(headers: dict[str, str]) -> Ran:
    program = compile_policy([Source("t.sched", POLICY)])
    return Runner(program).request({"model": "chat", "headers": headers}, world(program, ()))


@pytest.mark.parametrize(
    ("headers", "priority"),
    [
        ({}, 10),
        (ASKS, 10),
        (ASKS | {"x-from": "mesh"}, -5),
        ({"x-llm-d-inference-objective": "batch", "x-from": "mesh"}, -5),
        ({"x-llm-d-inference-objective": "other", "x-from": "mesh"}, 10),
        (ASKS | {"x-from": "mesh", "x-job": "yes"}, -20),
    ],
)
def test_an_objective_in_a_header_counts_only_where_it_is_trusted(
    headers: dict[str, str], priority: int
) -> None:
    assert ran(headers).values.decision.priority == priority


def test_an_outcome_keeps_what_a_client_was_told_and_who_decided() -> None:
    outcome = ran({"x-job": "yes"}).outcome

    assert (outcome.status, outcome.message) == (429, "come back tonight")
    assert outcome.retry_after_s == 30.0
    assert outcome.response_headers.get("retry-after") == "30"
    assert outcome.response_headers.get("x-headrace-reason") == "shed"
    assert outcome.program is not None
    assert outcome.program.digest == outcome.policy


def test_what_a_policy_traces_is_read_from_the_real_outcome() -> None:
    outcome = ran({"x-job": "yes"}).outcome
    tracing = Tracing(compile_policy([Source("t.sched", POLICY + TRACE)]), outcome)

    assert tracing.always() == "decision.shed"
    assert tracing.attributes() == {
        "headrace.attribute.job": "yes",
        "headrace.attribute.kind": "nightly",
        "headrace.attribute.told": "shed",
        "headrace.attribute.later": 30.0,
        "headrace.attribute.urgency": 10,
    }
    assert not tracing.errors


def test_an_outcome_keeps_the_headers_of_the_upstream_s_answer() -> None:
    outcome = ran({}).outcome

    assert (outcome.status, outcome.message, outcome.retry_after_s) == (200, "", None)
    assert outcome.response_headers.get("content-type") == "application/json"
