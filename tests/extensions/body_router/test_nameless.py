"""Calls whose body names no model: of APIs that have none, or whose path names it."""

from headrace.extensions.body_router import build
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Action, Continue, ExchangeInfo, Reject, Request
from tests.extensions.body_router.policies import CHATBOT, model, opened, program, request, site

POLICY = program((CHATBOT, model("llama-*", ("gemma", 1.0, None))))


def ask(request: Request, policy: object = POLICY) -> Action:
    """Return what the router of *policy* does about *request*."""
    stage = build(policy, site())  # type: ignore[arg-type]
    info = ExchangeInfo("r-1", "default", request.headers, 0.0)
    action = opened(stage.open(info)).on_request(request, 0.0)
    assert isinstance(action, Continue | Reject)
    return action


GENERATE = b'{"input_ids":[1,2,3]}'


def test_a_call_that_names_no_model_goes_to_the_only_pool() -> None:
    action = ask(request(GENERATE, "/generate"), program(pools=("gemma",)))

    assert isinstance(action, Continue)
    assert action.set_headers == {"x-headrace-pool": "gemma"}
    assert action.body is None


def test_a_call_that_names_no_model_is_refused_where_there_is_more_than_one() -> None:
    action = ask(request(GENERATE, "/generate"))

    assert isinstance(action, Reject)
    assert (action.reason, action.param) == (Reason.MISSING_MODEL, "model")
    assert "`chatbot`" in action.message


def test_a_call_that_names_no_model_is_told_the_one_that_every_model_means() -> None:
    every = program((model("*", ("gemma", 1.0, "gemma-3")),))
    action = ask(request(GENERATE, "/generate"), every)

    assert isinstance(action, Continue)
    assert action.body == b'{"model":"gemma-3","input_ids":[1,2,3]}'


def test_a_message_of_grpc_stays_as_it_is() -> None:
    every = program((model("*", ("gemma", 1.0, "gemma-3")),))
    body = b"\0\0\0\0\4\x1a\x02hi"
    path = "/vllm.grpc.engine.VllmEngine/Generate"
    action = ask(request(body, path, content_type="application/grpc"), every)

    assert isinstance(action, Continue)
    assert action.body is None
    assert action.set_headers == {"x-headrace-pool": "gemma"}


def test_a_model_in_the_path_is_routed_by_and_its_body_stays() -> None:
    body = b'{"instances":[{"prompt":"hi"}]}'
    action = ask(request(body, "/v1/models/llama-3:predict"))

    assert isinstance(action, Continue)
    assert action.set_headers["x-gateway-model-name"] == "llama-3"
    assert action.body is None


def test_a_model_in_the_path_cannot_be_rewritten() -> None:
    renamed = program((model("old", ("gemma", 1.0, "new")),))
    action = ask(request(b'{"prompt":"hi"}', "/openai/deployments/old/completions"), renamed)

    assert isinstance(action, Reject)
    assert (action.reason, action.param) == (Reason.CHANGE_REFUSED, "model")
