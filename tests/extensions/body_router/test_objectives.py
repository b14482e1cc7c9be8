"""Objectives and aliases, from the policy's text to the route."""

import msgspec
import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.extensions.body_router import build
from headrace.extensions.body_router.stage import UNKNOWN_OBJECTIVE
from headrace.extensions.call import parse_call
from headrace.extensions.headers import Headers
from headrace.extensions.picker.store import Store
from headrace.extensions.records import Routing, RuleError
from headrace.extensions.registry import Site
from headrace.extensions.stage import Continue, ExchangeInfo, Outcome, Request, Route
from tests.extensions.body_router.policies import CHAT

POLICY = """sched 1
pool gemma { endpoints "10.0.0.1:8000"  adapters up to 4 }
objective interactive { priority 10 }
objective batch { priority -1 }
model assistant { objective interactive  route gemma }
model plain { priority 3  route gemma }
model "org/big-model" as big { route gemma }
model "org/tuned" as tuned { adapter of gemma }
class last when request.priority < 0 { also  profile default }
class nightly when request.header("x-job") != "" { priority -10 }
"""


def routed(model: str, *headers: tuple[str, str]) -> tuple[Route, bytes | None]:
    """Return the route of a call for *model*, and the body if it was rewritten."""
    action = said(model, *headers)
    assert action.route is not None
    return action.route, action.body


def said(model: str, *headers: tuple[str, str]) -> Continue:
    """Return what the router says of a call for *model*."""
    program = compile_policy([Source("t.sched", POLICY)])
    stage = build(program, Site(Store.for_program(program), _unheard))
    path, body = "/v1/chat/completions", CHAT.replace(b"chatbot", model.encode())
    pairs = Headers((*headers, (":path", path), (":method", "POST")))
    request = Request("r-1", pairs, body, call=parse_call(path, "application/json", body))
    opened = stage.open(ExchangeInfo("r-1", "default", pairs, 0.0))
    assert opened is not None
    action = opened.on_request(request, 0.0)
    assert isinstance(action, Continue)
    return action


def _unheard(outcome: Outcome) -> None:
    pass


@pytest.mark.parametrize(
    ("model", "headers", "priority"),
    [
        ("assistant", (), 10),
        ("plain", (), 3),
        ("plain", (("x-gateway-inference-objective", "batch"),), -1),
        ("assistant", (("x-llm-d-inference-objective", "batch"),), -1),
        ("plain", (("x-gateway-inference-objective", "nobody's"),), 3),
        ("assistant", (("x-gateway-inference-objective", "batch"), ("x-job", "y")), -10),
    ],
)
def test_the_class_goes_before_the_objective_of_the_request_and_that_before_the_models(
    model: str, headers: tuple[tuple[str, str], ...], priority: int
) -> None:
    assert routed(model, *headers)[0].priority == priority


@pytest.mark.parametrize(
    ("model", "headers", "objective", "errors"),
    [
        ("assistant", (), "interactive", ()),
        ("plain", (), "", ()),
        ("plain", (("x-gateway-inference-objective", "batch"),), "batch", ()),
        ("plain", (("x-gateway-inference-objective", "nobody's"),), "", UNKNOWN_OBJECTIVE),
        ("plain", (("x-gateway-inference-objective", ""),), "", ()),
    ],
)
def test_the_objective_is_recorded_and_an_unknown_one_is_counted(
    model: str,
    headers: tuple[tuple[str, str], ...],
    objective: str,
    errors: tuple[RuleError, ...],
) -> None:
    routing, *others = said(model, *headers).records

    assert isinstance(routing, Routing)
    assert routing.objective == objective
    assert tuple(others) == errors


def test_a_class_sees_the_priority_of_the_objective() -> None:
    assert routed("plain", ("x-gateway-inference-objective", "batch"))[0].kind == "last"


def test_an_alias_asks_the_upstream_for_the_model_it_stands_for() -> None:
    route, body = routed("big")

    assert (route.model, route.target) == ("big", "org/big-model")
    assert body is not None
    assert msgspec.json.decode(body)["model"] == "org/big-model"
    assert routed("org/big-model")[1] is None


def test_the_alias_of_an_adapter_means_the_adapter() -> None:
    route, _ = routed("tuned")

    assert (route.adapter, route.target, route.pool) == ("org/tuned", "org/tuned", "gemma")
