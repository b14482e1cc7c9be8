import json
from typing import Any

import msgspec
import pytest
from msgspec import structs

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Class, Pool, RuleFault
from headrace.dsl.source import Source
from headrace.extensions.body_router import build
from headrace.extensions.body_router.listing import Listing, said_by_servers
from headrace.extensions.body_router.table import table
from headrace.extensions.headers import Headers
from headrace.extensions.picker.snapshot import Endpoint, Snapshot, pool_state
from headrace.extensions.reasons import Reason
from headrace.extensions.records import Routing, RuleError, ShareOf
from headrace.extensions.registry import Site
from headrace.extensions.stage import (
    Action,
    Answer,
    Continue,
    ExchangeInfo,
    Reject,
    Request,
    Route,
)
from tests.extensions.body_router.policies import (
    BATCH,
    CHATBOT,
    adapter,
    changed,
    model,
    opened,
    program,
    request,
    site,
    span,
    when,
)

POLICY = program(
    (
        CHATBOT,
        adapter("english-bot", "llm-base", "adapters"),
        model("llama-*", ("gemma", 1.0, None)),
    ),
    (BATCH,),
)


def asked(name: str) -> bytes:
    return json.dumps({"x": 1.5, "model": name, "messages": [{"content": "hi"}]}).encode()


def ask(request: Request, policy: object = None, at: Site | None = None) -> Action:
    """Return what the router of *policy* does about *request*."""
    stage = build(POLICY if policy is None else policy, at or site())  # type: ignore[arg-type]
    info = ExchangeInfo("r-1", "default", request.headers, 0.0)
    action = opened(stage.open(info)).on_request(request, 0.0)
    assert isinstance(action, Continue | Reject | Answer)
    return action


def routed(request: Request, policy: object = None) -> tuple[Continue, Route]:
    action = ask(request, policy)
    assert isinstance(action, Continue)
    assert action.route is not None
    return action, action.route


def test_a_model_goes_to_its_pool_with_its_priority() -> None:
    action, route = routed(request(id="r-0"))

    assert (route.model, route.pool, route.target, route.priority) == (
        "chatbot",
        "gemma",
        "chatbot",
        10,
    )
    assert (route.adapter, route.profile, route.kind) == ("", "default", "")
    assert action.set_headers == {"x-gateway-model-name": "chatbot", "x-headrace-pool": "gemma"}
    assert action.clear_route_cache
    assert action.body is None, "bytes that need no change are not changed"


def test_a_rewrite_changes_the_model_in_the_body_and_not_in_the_header() -> None:
    canary = next(i for i in range(100) if routed(request(id=f"r{i}"))[1].pool == "gemma-new")
    action, route = routed(request(asked("chatbot"), id=f"r{canary}"))

    assert route.target == "gemma-3"
    assert action.set_headers["x-gateway-model-name"] == "chatbot"
    assert action.body == b'{"x": 1.5, "model": "gemma-3", "messages": [{"content": "hi"}]}'


def test_an_adapter_is_named_beside_its_base() -> None:
    action, route = routed(request(asked("english-bot")))

    assert (route.adapter, route.target, route.profile) == (
        "english-bot",
        "english-bot",
        "adapters",
    )
    assert action.set_headers == {
        "x-gateway-model-name": "english-bot",
        "x-gateway-base-model-name": "llm-base",
        "x-headrace-pool": "llm-base",
    }


def test_the_base_of_an_adapter_is_what_a_map_says_or_its_servers_list() -> None:
    here = site()
    here.store.bases = {"gemma": {"my-lora": "gemma-3"}, "llm-base": {"english-bot": "elsewhere"}}
    here.directory.bases = {"french-bot": "llama-3"}
    policy = program((adapter("english-bot", "llm-base"), model("*", ("gemma", 1.0, None))))

    def base(name: str) -> str | None:
        action = ask(request(asked(name)), policy, here)
        assert isinstance(action, Continue)
        return action.set_headers.get("x-gateway-base-model-name")

    found = {name: base(name) for name in ("my-lora", "french-bot", "english-bot", "gemma-3")}

    assert found == {
        "my-lora": "gemma-3",
        "french-bot": "llama-3",
        "english-bot": "llm-base",
        "gemma-3": None,
    }


def test_a_pattern_keeps_the_name_that_was_asked_for() -> None:
    action, route = routed(request(asked("llama-3.1")))

    assert (route.model, route.target) == ("llama-*", "llama-3.1")
    assert action.set_headers["x-gateway-model-name"] == "llama-3.1"


def test_a_class_sets_the_priority() -> None:
    _, route = routed(request(x_job="batch"))

    assert (route.kind, route.priority) == ("batch", -10)


def test_the_first_class_to_state_a_thing_decides_it() -> None:
    always = when("always", lambda r: True)
    classes = (
        Class("tagged", always, profile="tagged", also=True),
        Class("urgent", always, priority=20, profile="urgent"),
        Class("never-reached", always, priority=1),
    )
    action, route = routed(request(), changed(POLICY, classes=classes))
    (routing,) = action.records

    assert (route.kind, route.priority, route.profile) == ("tagged", 20, "tagged")
    assert isinstance(routing, Routing)
    assert routing.classes == ("tagged", "urgent")


def test_a_class_that_fails_does_not_match_and_is_recorded() -> None:
    broken = Class("broken", when("1/0", lambda r: RuleFault("division-by-zero")), priority=99)
    action, route = routed(request(), changed(POLICY, classes=(broken, BATCH)))

    assert (route.kind, route.priority) == ("", 10)
    assert action.records[1:] == (RuleError("class broken", "division-by-zero"),)


def test_a_class_sees_the_model_and_its_priority() -> None:
    seen = Class(
        "seen",
        when(
            "...",
            lambda r: (
                (r.model, r.priority, r.adapter, r.path)
                == ("english-bot", 5, "english-bot", "/v1/chat/completions")
            ),
        ),
        priority=1,
    )
    given = request(asked("english-bot"), path="/v1/chat/completions?a=b")
    _, route = routed(given, changed(POLICY, classes=(seen,)))

    assert route.kind == "seen"


def test_the_profile_is_the_class_s_then_the_model_s_then_the_pool_s() -> None:
    pools = {name: Pool(name, span(), profile=f"of-{name}") for name in POLICY.pools}
    policy = changed(POLICY, pools=pools)

    assert routed(request(asked("llama-1")), policy)[1].profile == "of-gemma"
    assert routed(request(asked("english-bot")), policy)[1].profile == "adapters"


def test_the_record_tells_where_and_why() -> None:
    action, route = routed(request(id="r-0", x_job="batch"))

    assert action.records == (
        Routing(
            asked="chatbot",
            model="chatbot",
            pool="gemma",
            target="chatbot",
            adapter="",
            priority=-10,
            profile="default",
            classes=("batch",),
            share_bucket=route.share_bucket,
            shares=(ShareOf("gemma", 0.9), ShareOf("gemma-new", 0.1)),
        ),
    )


@pytest.mark.parametrize(
    ("given", "reason", "param", "words"),
    [
        (
            request(asked("gpt-9")),
            Reason.UNKNOWN_MODEL,
            "model",
            "unknown model `gpt-9`; known: `chatbot`",
        ),
        (request(b"{"), Reason.MALFORMED_JSON, None, "malformed JSON"),
        (request(b'{"messages":[]}'), Reason.MISSING_MODEL, "model", "`model` is missing"),
        (request(b""), Reason.MALFORMED_JSON, None, "the body is empty"),
        (request(None), Reason.BODY_UNAVAILABLE, None, "set `request_body_mode`"),
        (request(path="/v1/audio"), Reason.UNKNOWN_PATH, None, "`/v1/audio`; known: /v1/chat"),
        (request(path="/\udcff\n?secret"), Reason.UNKNOWN_PATH, None, "`/..`; known"),
        (request(method="GET"), Reason.METHOD_NOT_ALLOWED, None, "method `GET`"),
        (
            request(None, path="/v1/models", method="POST"),
            Reason.METHOD_NOT_ALLOWED,
            None,
            "use GET",
        ),
        (
            request(None, path="/v1/models/nope", method="GET"),
            Reason.UNKNOWN_MODEL,
            "model",
            "`nope`",
        ),
        (request(None, path="/v1/modelsx", method="GET"), Reason.UNKNOWN_PATH, None, "modelsx"),
        (request(content_type="text/plain"), Reason.UNSUPPORTED_MEDIA_TYPE, None, "`text/plain`"),
    ],
)
def test_what_cannot_be_routed_is_answered(
    given: Request, reason: Reason, param: str | None, words: str
) -> None:
    action = ask(given)

    assert isinstance(action, Reject)
    assert (action.reason, action.param) == (reason, param)
    assert words in action.message


def test_a_wrong_method_is_told_the_right_one() -> None:
    wrong = ask(request(method="PUT"))
    wrong_list = ask(request(None, path="/v1/models", method="DELETE"))

    assert isinstance(wrong, Reject)
    assert isinstance(wrong_list, Reject)
    assert wrong.headers == {"allow": "POST"}
    assert wrong_list.headers == {"allow": "GET, HEAD"}


def test_a_host_that_has_not_parsed_the_body_is_helped() -> None:
    action = ask(structs.replace(request(), call=None))

    assert isinstance(action, Continue)


def test_the_models_are_listed() -> None:
    action = ask(request(None, path="/v1/models?limit=5", method="GET"))
    assert isinstance(action, Answer)
    listed = msgspec.json.decode(action.body)

    assert (action.status, action.headers) == (200, {"content-type": "application/json"})
    assert listed["object"] == "list"
    assert [(m["id"], m["parent"]) for m in listed["data"]] == [
        ("chatbot", None),
        ("english-bot", "llm-base"),
    ]


@pytest.mark.parametrize("path", ["/v1/models/org/m%20x", "/api/v1/models/org/m x"])
def test_one_model_is_shown_by_its_name(path: str) -> None:
    policy = program((model("org/m x", ("gemma", 1.0, "base")),))
    action = ask(request(None, path=path, method="GET"), policy)
    assert isinstance(action, Answer)
    card = msgspec.json.decode(action.body)

    assert (card["id"], card["root"], card["object"]) == ("org/m x", "base", "model")


def listed(served: tuple[str, ...], **headers: str) -> Any:  # Any: JSON
    """Return the list of models where the servers say that they serve *served*."""
    policy = program((CHATBOT, model("team-*", ("llm-base", 1.0, None))))
    listing = Listing(table(policy), lambda: served)
    action = listing.answer(request(None, path="/v1/models", method="GET", **headers))
    assert isinstance(action, Answer)
    return msgspec.json.decode(action.body)


def test_what_servers_serve_is_listed_once_if_the_policy_routes_it() -> None:
    served = ("team-b", "team-a", "chatbot", "other", "team-a", "team-\n", "team-*")
    names = [m["id"] for m in listed(served)["data"]]

    assert names == ["chatbot", "team-*", "team-a", "team-b"]


def test_an_anthropic_client_is_answered_in_its_format() -> None:
    found = listed(("team-a",), anthropic_version="2023-06-01")

    assert found["data"][1] == {
        "type": "model",
        "id": "team-a",
        "display_name": "team-a",
        "created_at": "1970-01-01T00:00:00Z",
    }
    assert (found["first_id"], found["last_id"], found["has_more"]) == ("chatbot", "team-a", False)


def test_only_what_ready_servers_say_is_listed() -> None:
    up = Endpoint("a", "10.0.0.1:1", ready=True, adapters=("x", "y"))
    down = Endpoint("b", "10.0.0.2:1", adapters=("z",))
    snapshot = Snapshot({"p": pool_state("p", [up, down])})

    assert list(said_by_servers(snapshot)) == ["x", "y"]


def test_a_servers_own_list_goes_before_the_adapters_that_its_metrics_show() -> None:
    listing = Endpoint("a", "10.0.0.1:1", ready=True, adapters=("x",), models=("base", "x", "y"))
    silent = Endpoint("b", "10.0.0.2:1", ready=True, adapters=("z",))
    snapshot = Snapshot({"p": pool_state("p", [listing, silent])})

    assert list(said_by_servers(snapshot)) == ["base", "x", "y", "z"]


def test_a_pattern_of_adapters_routes_and_lists_what_it_fits() -> None:
    text = """\
sched 1
pool gemma { endpoints "10.0.0.1:8000" }
model gemma { route gemma }
model "team-*" { adapter of gemma }
"""
    policy = compile_policy([Source("adapters.sched", text)])
    routed = ask(request(b'{"model":"team-fr","messages":[{"role":"user","content":"x"}]}'), policy)
    up = Endpoint("a", "10.0.0.1:8000", ready=True, models=("gemma", "team-fr", "other"))
    snapshot = Snapshot({"gemma": pool_state("gemma", [up])})
    listing = Listing(table(policy), lambda: said_by_servers(snapshot))
    action = listing.answer(request(None, path="/v1/models", method="GET"))
    assert isinstance(routed, Continue)
    assert isinstance(action, Answer)

    assert routed.route is not None
    assert (routed.route.pool, routed.route.target) == ("gemma", "team-fr")
    assert routed.route.adapter == "team-fr"
    assert routed.body is None
    assert [(m["id"], m["parent"]) for m in msgspec.json.decode(action.body)["data"]] == [
        ("gemma", None),
        ("team-fr", "gemma"),
    ]


def test_a_filter_serves_all_exchanges() -> None:
    stage = build(POLICY, site())
    infos = [ExchangeInfo(str(i), "default", Headers(), 0.0) for i in range(2)]

    assert stage.open(infos[0]) is stage.open(infos[1])
    assert stage.needs.request_body
