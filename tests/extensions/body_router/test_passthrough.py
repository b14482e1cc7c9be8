"""Paths that a policy lets pass unread, and those that only look like them."""

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Reject
from tests.extensions.body_router.policies import request
from tests.extensions.body_router.test_stage import ask, routed

PASSING = compile_policy(
    [
        Source(
            "t.sched",
            """sched 1
            pool gemma { endpoints "10.0.0.1:8000" }
            pool ears { endpoints "10.0.0.2:8000" }
            model chatbot { route gemma }
            model whisper { route ears  passthrough "/v1/audio/*", "/tokenizer_info" }
            """,
        )
    ]
)


@pytest.mark.parametrize("path", ["/v1/audio/transcriptions?x=/..", "/tokenizer_info"])
def test_a_path_that_the_policy_lets_pass_is_routed_unread(path: str) -> None:
    action, route = routed(request(b"\0\1 anything", path), PASSING)

    assert (route.pool, route.model, route.unread, route.unscreened) == (
        "ears",
        "whisper",
        True,
        False,
    )
    assert action.body is None
    assert "x-gateway-model-name" not in action.set_headers


@pytest.mark.parametrize(
    "path",
    [
        "/v1/audio/../completions_",
        "/v1/audio/./x",
        "/v1/audio/..",
        "/v1/audio//x",
        "/v1/audio/%2e%2e/x",
        "/v1/audio/x;y",
        "/v1/audio/\\x",
        "/V1/audio/x",
        "/tokenizer_info/",
        "/v1/audi",
    ],
)
def test_a_path_that_may_mean_another_one_passes_to_nobody(path: str) -> None:
    action = ask(request(b"{}", path), PASSING)

    assert isinstance(action, Reject)
    assert action.reason is Reason.UNKNOWN_PATH


def test_what_is_understood_is_read_whatever_passes() -> None:
    _, route = routed(request(path="/v1/audio/v1/chat/completions"), PASSING)

    assert (route.pool, route.unread) == ("gemma", False)
