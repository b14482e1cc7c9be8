"""The response phase: the head at once; event streams at once, a JSON body whole."""

import itertools

import pytest

from headrace.extensions.records import Usage
from headrace.host.extproc.proto import messages as pb
from tests.host.extproc.parity.house import (
    POLICY,
    House,
    chat,
    pods,
    response_body,
    response_head,
    sets,
    streamed,
)

IDLE = pods((0, 0.2), (0, 0.1))
JSON = {":status": "200", "content-type": "application/json"}
EVENTS = {":status": "200", "content-type": "text/event-stream"}
WHOLE = b'{"model":"m","usage":{"prompt_tokens":7,"completion_tokens":10,"total_tokens":17}}'
TRAILERS = pb.ProcessingRequest(response_trailers=pb.HttpTrailers())


def usage(house: House) -> Usage | None:
    """Return what was counted of the one exchange."""
    records = [r for run in house.outcomes[0].runs for r in run.records]
    return next((r for r in records if isinstance(r, Usage)), None)


@pytest.mark.parametrize("cuts", [(), (20,), (1, 2, 3), (len(WHOLE),)])
@pytest.mark.parametrize("asks", [True, False])
def test_a_json_body_comes_whole_however_it_was_cut(cuts: tuple[int, ...], asks: bool) -> None:
    house = House(IDLE)
    request = chat("my-model") if asks else []
    edges = (0, *cuts, len(WHOLE))
    pieces = [WHOLE[a:b] for a, b in itertools.pairwise(edges)]
    last = len(pieces) - 1
    sent = [response_body(piece, at == last) for at, piece in enumerate(pieces)]
    answers = house.say([*request, response_head(JSON), *sent], 4 if asks else 2)

    assert answers[-2].WhichOneof("response") == "response_headers"
    assert sets(answers[-2]) == {}
    assert streamed(answers[-1]) == ("response_body", WHOLE, True)
    assert usage(house) == Usage(7, 10)


def test_what_is_called_json_and_is_none_passes_as_it_is() -> None:
    sent = [response_head(JSON), response_body(b"no healthy upstream", True)]
    _, answer = House(IDLE).say(sent, 2)

    assert streamed(answer) == ("response_body", b"no healthy upstream", True)


def test_a_long_json_body_is_not_kept() -> None:
    sent = [response_head(JSON), response_body(b" " * (1 << 20)), response_body(b"{")]
    answers = House(IDLE).say(sent, 1 + 17)

    assert sum(len(streamed(answer)[1]) for answer in answers[1:]) == (1 << 20) + 1
    assert not any(streamed(answer)[2] for answer in answers[1:])


def test_events_pass_as_they_come_and_usage_is_read_across_their_cuts() -> None:
    house = House(IDLE)
    pieces = [
        b"data: {}\n\n",
        b'data: {"usage":{"prompt_tokens":7,"total_to',
        b'kens":17,"completion_tokens":10}}\n\ndata: [DONE]\n\n',
        b"",
    ]
    sent = [response_body(piece, piece == b"") for piece in pieces]
    _, *answers = house.say([response_head(EVENTS), *sent], 5)

    assert [streamed(answer) for answer in answers] == [
        ("response_body", piece, piece == b"") for piece in pieces
    ]
    assert usage(house) == Usage(7, 10)


def test_trailers_end_a_body_that_does_not_end_by_itself() -> None:
    grpc = {":status": "200", "content-type": "application/grpc"}
    for kind in (grpc, JSON):
        sent = [response_head(kind), response_body(b"\0\0\0\0\2hi"), TRAILERS]
        _, piece, end = House(IDLE).say(sent, 3)

        assert streamed(piece) == ("response_body", b"\0\0\0\0\2hi", False)
        assert end.WhichOneof("response") == "response_trailers"


def test_a_response_without_a_body_is_one_reply() -> None:
    (answer,) = House(IDLE).say([response_head({":status": "204"}, True)], 1)

    assert answer.WhichOneof("response") == "response_headers"


def test_where_the_proxy_went_is_told_to_conformance_tests_alone() -> None:
    served = response_head(JSON, served="192.168.1.1:8000")
    *_, told = House(IDLE, conformance=True).say([*chat("my-model"), served], 3)
    *_, silent = House(IDLE).say([*chat("my-model"), served], 3)

    assert sets(told) == {"x-conformance-test-served-endpoint": "192.168.1.1:8000"}
    assert sets(silent) == {}


@pytest.mark.parametrize("named", ["192.168.1.1", "192.168.1.1:8000", "10.9.9.9, 192.168.1.1"])
def test_conformance_tests_alone_may_force_an_endpoint(named: str) -> None:
    sent = chat("my-model", test_epp_endpoint_selection=named)
    trusting = POLICY.replace("session from", "session endpoint from")
    forced, _ = House(IDLE, conformance=True).say(sent, 2)
    free, _ = House(IDLE, trusting).say(sent, 2)

    assert sets(forced)["x-gateway-destination-endpoint"] == "192.168.1.1:8000"
    assert sets(free)["x-gateway-destination-endpoint"].startswith("192.168.1.2:8000,")
    assert "test-epp-endpoint-selection" in list(
        free.request_headers.response.header_mutation.remove_headers
    )
