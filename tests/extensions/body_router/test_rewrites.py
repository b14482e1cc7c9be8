"""Whom a cluster says to ask for instead, from the directory to the body that is sent."""

import json
from collections import Counter

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.serving import InferencePoolRef
from headrace.dsl.source import Source
from headrace.extensions.body_router import build
from headrace.extensions.call import parse_call
from headrace.extensions.directory import Directory, Notes, Targets
from headrace.extensions.headers import Headers
from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Site
from headrace.extensions.stage import Continue, ExchangeInfo, Outcome, Request, Route
from tests.extensions.body_router.policies import CHAT

POLICY = """sched 1
pool gemma { inferencepool gemma  adapters up to 4 }
pool listed { endpoints "10.0.0.1:8000" }
trust { model_rewrite from true }
model chatbot { route gemma }
model other   { route gemma }
model fixed   { route gemma as "policy" }
model tuned   { adapter of gemma }
model away    { route listed }
"""
DIRECTORY = Directory(
    {
        InferencePoolRef("gemma"): Notes(
            exact={
                name: Targets.of(f"r/{name}", ("v1", "v2"), (3, 1))
                for name in ("chatbot", "fixed", "tuned", "away")
            },
            every=Targets.of("r/every", ("every",), ()),
        )
    }
)
HEADER = ("x-llm-d-model-name-rewrite", "header")


def _unheard(outcome: Outcome) -> None:
    pass


PROGRAM = compile_policy([Source("t.sched", POLICY)])
STAGE = build(PROGRAM, Site(Store.for_program(PROGRAM), _unheard, directory=DIRECTORY))


def routed(model: str, *headers: tuple[str, str], request_id: str = "r-1") -> tuple[Route, str]:
    """Return the route of a call for *model*, and the model that its body asks for then."""
    path, body = "/v1/chat/completions", CHAT.replace(b"chatbot", model.encode())
    pairs = Headers((*headers, (":path", path), (":method", "POST")))
    call = parse_call(path, "application/json", body)
    opened = STAGE.open(ExchangeInfo(request_id, "default", pairs, 0.0))
    assert opened is not None
    action = opened.on_request(Request(request_id, pairs, body, call=call), 0.0)
    assert isinstance(action, Continue)
    assert action.route is not None
    return action.route, str(json.loads(action.body or body)["model"])


def test_a_rewrite_changes_the_model_that_the_server_is_asked_for() -> None:
    route, sent = routed("chatbot")

    assert sent in ("v1", "v2")
    assert (route.target, route.model) == (sent, "chatbot")


@pytest.mark.parametrize(
    ("model", "headers", "sent"),
    [
        ("other", (), {"every"}),
        ("other", (HEADER,), {"every"}),
        ("chatbot", (HEADER,), {"v1", "v2"}),
        ("fixed", (), {"policy"}),
        ("away", (), {"away"}),
        ("away", (HEADER,), {"header"}),
    ],
)
def test_a_rewrite_goes_before_a_header_and_behind_the_policy(
    model: str, headers: tuple[tuple[str, str], ...], sent: set[str]
) -> None:
    assert routed(model, *headers)[1] in sent


def test_an_adapter_that_is_rewritten_is_the_adapter_that_is_asked_for() -> None:
    route, sent = routed("tuned")

    assert route.adapter == sent
    assert sent in ("v1", "v2")


def test_targets_are_taken_by_their_weights_and_one_request_always_gets_the_same() -> None:
    drawn = Counter(routed("chatbot", request_id=f"r-{n}")[1] for n in range(1000))

    assert 680 < drawn["v1"] < 820
    assert drawn["v1"] + drawn["v2"] == 1000
    assert routed("chatbot")[1] == routed("chatbot")[1]
