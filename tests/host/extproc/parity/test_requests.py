"""The request phase: one headers reply, then the body, whole, in pieces Envoy can take."""

import json

import pytest

from headrace.host.extproc.proto import messages as pb
from tests.host.extproc.parity.house import (
    POLICY,
    House,
    asked,
    body,
    chat,
    head,
    pods,
    removes,
    sets,
    streamed,
    told,
)

DESTINATION = "x-gateway-destination-endpoint"
BUSY = pods((3, 0.2), (0, 0.1), (10, 0.2))
PICKER = """sched 1
pool servers { endpoints "192.168.1.1:8000" }
chain default { picker observability }
scorer idle = 1.0 / (1.0 + double(endpoint.queue))
profile default { score 1 * idle  pick max }
"""


def went(answers: list[pb.ProcessingResponse]) -> str:
    """Return where a routed request went, having looked at the form of both replies."""
    first, *rest = answers
    assert first.WhichOneof("response") == "request_headers"
    assert first.request_headers.response.clear_route_cache
    where = sets(first)[DESTINATION]
    assert told(first) == {DESTINATION: where}
    for answer in rest:
        assert not answer.dynamic_metadata.fields
        assert not answer.request_body.response.HasField("header_mutation")
    return where.partition(",")[0]


def test_the_lowest_queue_and_cache_wins_and_the_body_follows_the_head() -> None:
    answers = House(BUSY).say(chat("my-model", "test1"), 2)

    assert went(answers) == "192.168.1.2:8000"
    assert streamed(answers[1]) == ("request_body", asked("my-model", "test1"), True)
    assert sets(answers[0])["content-length"] == str(len(asked("my-model", "test1")))


def test_the_first_destination_is_the_pick_and_the_others_are_fallbacks_in_order() -> None:
    (first, _) = House(BUSY).say(chat("my-model"), 2)

    assert sets(first)[DESTINATION] == "192.168.1.2:8000,192.168.1.1:8000,192.168.1.3:8000"


def test_a_cached_prompt_outweighs_a_queue() -> None:
    given = pods((3, 0.2), (0, 0.1))
    given["192.168.1.1:8000"]["prefix_match"] = 1.0

    assert went(House(given).say(chat("my-model"), 2)) == "192.168.1.1:8000"


@pytest.mark.parametrize("name", ["x-llm-d-model-name-rewrite", "x-gateway-model-name-rewrite"])
def test_a_loaded_adapter_outweighs_a_cache_and_is_asked_for_by_its_target(name: str) -> None:
    given = pods((10, 0.2), (10, 0.4), (10, 0.3))
    given["192.168.1.2:8000"]["adapters"] = ("foo", "sql-lora-1fdg2")
    first, second = chat("sql-lora", "test3", **{name: "sql-lora-1fdg2"})
    answers = House(given).say([first, second], 2)

    assert went(answers) == "192.168.1.2:8000"
    assert streamed(answers[1]) == ("request_body", asked("sql-lora-1fdg2", "test3"), True)


def test_the_policy_rewrites_a_model_and_its_word_goes_before_a_headers() -> None:
    sent = chat("to-be-rewritten", "x", x_llm_d_model_name_rewrite="other")
    answers = House(BUSY).say(sent, 2)

    assert streamed(answers[1])[1] == asked("rewritten", "x")
    assert sets(answers[0])["content-length"] == str(len(asked("rewritten", "x")))


def test_a_header_names_the_model_that_the_body_does_not() -> None:
    sent = [head({"x-llm-d-model-name-rewrite": "my-model"}), body(b'{"prompt":"hello"}')]
    answers = House(BUSY).say(sent, 2)

    assert json.loads(streamed(answers[1])[1]) == {"prompt": "hello", "model": "my-model"}


def test_nobody_is_believed_unless_the_policy_says_so() -> None:
    wary = POLICY.replace("from true", "from false")
    sent = chat("my-model", x_llm_d_model_name_rewrite="other", x_gateway_inference_objective="low")
    answers = House(pods((9, 0.9)), wary).say(sent, 2)

    assert streamed(answers[1])[1] == asked("my-model")
    assert set(removes(answers[0])) == {
        "x-llm-d-model-name-rewrite",
        "x-gateway-inference-objective",
    }


def test_a_body_that_comes_in_pieces_is_read_and_sent_as_one() -> None:
    data = asked("my-model", "test6")
    sent = [head({"hi": "mom"}), body(data[:30], False), body(data[30:])]
    answers = House(BUSY).say(sent, 2)

    assert went(answers) == "192.168.1.2:8000"
    assert streamed(answers[1]) == ("request_body", data, True)


def test_a_long_body_goes_on_in_pieces_of_62000_bytes_and_only_the_last_ends_it() -> None:
    data = asked("my-model", "y" * 150_000)
    sent = [head({"hi": "mom"}), body(data[:70_000], False), body(data[70_000:])]
    first, *pieces = House(BUSY).say(sent, 4)
    found = [streamed(piece) for piece in pieces]

    assert b"".join(piece for _, piece, _ in found) == data
    assert [len(piece) for _, piece, _ in found] == [62_000, 62_000, len(data) - 124_000]
    assert [end for *_, end in found] == [False, False, True]
    assert sets(first)["content-length"] == str(len(data))


def test_a_body_that_ends_with_an_empty_piece_is_sent_as_one() -> None:
    data = asked("my-model")
    answers = House(BUSY).say([head({"hi": "mom"}), body(data, False), body(b"")], 2)

    assert streamed(answers[1]) == ("request_body", data, True)


def test_a_body_before_trailers_goes_with_the_head_so_that_no_retrying_route_doubles_it() -> None:
    data = asked("my-model")
    trailers = pb.ProcessingRequest(request_trailers=pb.HttpTrailers())
    (answer,) = House(BUSY).say([head({"hi": "mom"}), body(data, False), trailers], 1)
    common = answer.request_headers.response

    assert (common.status, common.body_mutation.body) == (1, data)
    assert "content-length" not in sets(answer)


def test_an_unread_body_passes_byte_by_byte_to_the_policys_choice() -> None:
    answers = House(BUSY, PICKER).say([head({"hi": "mom"}), body(b"no JSON at all")], 2)

    assert went(answers) == "192.168.1.2:8000"
    assert streamed(answers[1]) == ("request_body", b"no JSON at all", True)


def test_an_empty_body_is_one_empty_piece_that_ends_it() -> None:
    answers = House(BUSY, PICKER).say([head({"hi": "mom"}), body(b"")], 2)

    assert streamed(answers[1]) == ("request_body", b"", True)
    assert "content-length" not in sets(answers[0])


@pytest.mark.parametrize(
    "names",
    [
        {"content-type": "text/event-stream", "status": "200"},
        {":method": "GET", ":path": "/version"},
        {":method": "HEAD", ":path": "/health"},
    ],
)
@pytest.mark.parametrize("policy", [POLICY, PICKER])
def test_a_request_that_is_only_a_head_goes_where_subset_and_policy_say(
    names: dict[str, str], policy: str
) -> None:
    allowed = ["192.168.1.1:8000", "192.168.1.3:8000"]
    (answer,) = House(BUSY, policy).say([head(names, True, subset=allowed)], 1)

    assert went([answer]) == "192.168.1.1:8000"
    assert "content-length" not in sets(answer)


def test_a_request_without_a_name_is_given_one_that_is_no_other_requests() -> None:
    house = House(BUSY)
    data = body(asked("my-model"))
    (first, _), (again, _) = (house.say([head({}), data], 2) for _ in range(2))
    (named, _) = house.say(chat("my-model"), 2)

    assert sets(first)["x-request-id"]
    assert house.outcomes[0].request.id == sets(first)["x-request-id"]
    assert "x-request-id" in sets(again)
    assert "x-request-id" not in sets(named)
    assert house.outcomes[2].request.id == "test-request-id"


def test_headers_that_nobody_changed_are_left_to_the_proxy_doubles_and_all() -> None:
    given = [
        (":method", "POST"),
        (":path", "/v1/completions"),
        (":authority", "example"),
        ("x-request-id", "r"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("te", "trailers"),
        ("connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
    ]
    (first, _) = House(BUSY).say([head(given), body(asked("my-model"))], 2)

    assert set(sets(first)) == {
        DESTINATION,
        "content-length",
        "x-gateway-model-name",
        "x-headrace-pool",
    }
    assert removes(first) == []


@pytest.mark.parametrize("name", ["x-llm-d-inference-objective", "x-gateway-inference-objective"])
def test_an_objective_gives_its_priority_without_a_router_too(name: str) -> None:
    policy = PICKER.replace("scorer", "objective high { priority 4 }\nscorer", 1)
    trusting = policy.replace("chain", "trust { objective from true }\nchain", 1)
    house = House(BUSY, trusting)
    house.say([head({name: "high"}), body(b"raw")], 2)

    picked = next(r for run in house.outcomes[0].runs for r in run.records)
    assert getattr(picked, "priority", None) == 4


CAME = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OURS = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("came", "ours", "sent", "removed"),
    [
        (CAME, OURS, OURS, []),
        (CAME, "", None, []),
        (CAME, OTHER, OTHER, ["tracestate"]),
        ("nonsense", OURS, OURS, ["tracestate"]),
    ],
)
def test_the_upstreams_span_hangs_on_ours_or_on_the_clients(
    came: str, ours: str, sent: str | None, removed: list[str]
) -> None:
    asked_for: list[tuple[str, str]] = []

    def announce(traceparent: str, request_id: str, ratio: float | None) -> str:
        asked_for.append((traceparent, request_id))
        return ours

    house = House(BUSY, announce=announce)
    answers = house.say(chat("my-model", traceparent=came, tracestate="a=b"), 2)

    assert sets(answers[0]).get("traceparent") == sent
    assert removes(answers[0]) == removed
    assert asked_for == [(came, "test-request-id")]
    assert house.outcomes[0].announced == ours
