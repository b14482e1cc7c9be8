"""Headers: what passes byte for byte, what a stage may change, and what never reaches the wire."""

import pytest

from headrace.host.exchange.part import BodyMode
from tests.e2e.rig import http2
from tests.e2e.rig.doors import DUPLEX, SAME, pair
from tests.e2e.rig.http1 import Fields
from tests.e2e.rig.site import Rig
from tests.e2e.rig.upstream import Call, Seen

STREAMED = pair(BodyMode.STREAMED, BodyMode.STREAMED)
FORGED = "x-gateway-destination-endpoint"


def _seen(rig: Rig, door: str, chain: str, fields: Fields = ()) -> Seen:
    request_id = rig.new_id()
    answer = rig.fetch(door, chain, "POST", fields=[("x-id", request_id), *fields], body=b"b")

    assert answer.status == 200, answer
    return rig.seen(request_id)


def test_duplicate_headers_keep_their_number_and_order(rig: Rig) -> None:
    """Case 41: duplicates stay apart."""
    head = _seen(rig, DUPLEX, "add", [("x-many", "1"), ("x-many", "2"), ("x-remove-me", "1")]).head

    assert head.all("x-many") == [b"1", b"2", b"last"]
    assert head.get("x-added") == "request"
    assert "x-remove-me" not in head


def test_a_cookie_split_by_http2_is_seen_whole(rig: Rig) -> None:
    """Case 41: HTTP/2 clients may send a cookie in crumbs."""
    request_id = rig.new_id()
    fields = [("x-chain", "tell"), ("x-id", request_id), ("cookie", "a=1"), ("cookie", "b=2")]
    answer = rig.run(http2.fetch(rig.port(DUPLEX), "POST", "/", fields, [b"b"]))

    assert answer.status == 200
    assert rig.seen(request_id).head.get("cookie") == "a=1; b=2"


@pytest.mark.parametrize("door", SAME)
def test_a_value_that_is_not_utf_8_survives_byte_for_byte(rig: Rig, door: str) -> None:
    """Case 42: both what passes untouched and what a stage sets."""
    head = _seen(rig, door, "header?name=x-raw&value=fffe41&hex=1", [("x-latin", b"\xe9\xff")]).head

    assert head.all("x-latin") == [b"\xe9\xff"]
    assert head.all("x-raw") == [b"\xff\xfeA"]


def test_empty_values_stay_empty(rig: Rig) -> None:
    """Case 43: empty is a value."""
    head = _seen(rig, DUPLEX, "header?name=x-set", [("x-empty", "")]).head

    assert head.all("x-empty") == [b""]
    assert head.all("x-set") == [b""]


def test_a_header_of_40_kb_passes(rig: Rig) -> None:
    """Case 44: large headers, received and set."""
    chain = "header?name=x-set&value=v&repeat=40000"
    head = _seen(rig, DUPLEX, chain, [("x-large", "l" * 40_000)])

    assert head.head.all("x-large") == [b"l" * 40_000]
    assert head.head.all("x-set") == [b"v" * 40_000]


def test_more_headers_than_envoy_takes_are_refused_by_us(rig: Rig) -> None:
    """Case 45: over 100 headers Envoy would fail the request with a bare 500."""
    answer = rig.fetch(DUPLEX, "header?name=x-n&value=1&times=120")

    assert answer.status == 500
    assert answer.head.get("x-headrace-reason") == "change-refused"


@pytest.mark.parametrize("door", SAME)
def test_around_the_limit_of_100_headers_envoy_never_has_to_answer(rig: Rig, door: str) -> None:
    """Case 45: either it fits or we say why not, to the header."""
    reasons: list[str] = []
    for count in range(84, 92):
        fields = [(f"x-{number}", "1") for number in range(count)]
        answer = rig.fetch(door, "header?name=x-n&value=1&times=5", fields=fields)
        reasons.append(answer.head.get("x-headrace-reason"))

        assert answer.status == (500 if reasons[-1] else 200)

    assert reasons == [
        *[""] * reasons.count(""),
        *["change-refused"] * reasons.count("change-refused"),
    ]
    assert set(reasons) == {"", "change-refused"}


@pytest.mark.parametrize("on_failure", ["closed", "open"])
@pytest.mark.parametrize("value", ["610d0a", "610a78", "6100"], ids=["crlf", "lf", "nul"])
def test_line_breaks_in_values_never_reach_the_wire(rig: Rig, value: str, on_failure: str) -> None:
    """Case 46: a value with CR, LF or NUL fails its stage, and nothing else."""
    request_id = rig.new_id()
    chain = f"header?name=x-bad&value={value}&hex=1&on_failure={on_failure}"
    answer = rig.fetch(DUPLEX, chain, fields=[("x-id", request_id)])

    assert answer.status == (500 if on_failure == "closed" else 200)
    assert all("x-bad" not in seen.head for seen in rig.upstream.seen.of(request_id))


@pytest.mark.parametrize(
    "name",
    [
        "transfer-encoding",
        "content-length",
        "connection",
        "keep-alive",
        "te",
        "upgrade",
        "host",
        ":authority",
        ":method",
        "x-envoy-upstream-rq-timeout-ms",
    ],
)
def test_headers_of_the_data_plane_cannot_be_set(rig: Rig, name: str) -> None:
    """Case 47: hop-by-hop, pseudo, host and Envoy's own headers."""
    head = _seen(rig, DUPLEX, f"header?name={name}&value=rig-was-here&on_failure=open").head

    assert all(b"rig-was-here" not in value for key, value in head.fields if key != "x-chain")


@pytest.mark.parametrize("chain", ["pass", "raise?hook=request&on_failure=open", "read"])
@pytest.mark.parametrize("door", SAME)
def test_a_forged_endpoint_header_is_removed_on_every_path(rig: Rig, door: str, chain: str) -> None:
    """Case 48: else a client chooses where its request goes."""
    if chain == "read" and door == "NONE-NONE":
        chain = "add"
    head = _seen(rig, door, chain, [(FORGED, "10.0.0.1:80"), (FORGED, "10.0.0.2:80")]).head

    assert FORGED not in head


def test_a_header_removed_and_set_again_has_the_last_value(rig: Rig) -> None:
    """Case 49: one folded change, removals first."""
    chain = "header?name=x-many&value=mid+add+header?name=x-remove-me&value=back"
    head = _seen(rig, DUPLEX, chain, [("x-many", "1"), ("x-many", "2"), ("x-remove-me", "1")]).head

    assert head.all("x-many") == [b"mid", b"last"]
    assert head.all("x-remove-me") == [b"back"]


def test_names_in_upper_case_are_lowered(rig: Rig) -> None:
    """Case 51: from the client and from a stage."""
    head = _seen(rig, DUPLEX, "header?name=X-Loud&value=1", [("X-Client", "1")]).head

    assert (head.get("x-loud"), head.get("x-client")) == ("1", "1")


@pytest.mark.parametrize("door", [DUPLEX, STREAMED])
def test_response_headers_are_changed_and_duplicates_kept(rig: Rig, door: str) -> None:
    """Case 41: on the response, e.g. several set-cookie."""

    async def cookies(call: Call) -> None:
        await call.read()
        await call.answer(200, [("set-cookie", "a=1"), ("set-cookie", "b=2")], b"body")

    with rig.upstream.script("cookies", cookies):
        answer = rig.fetch(door, "add", fields=[("x-script", "cookies")])

    assert answer.head.all("set-cookie") == [b"a=1", b"b=2"]
    assert answer.head.get("x-added") == "response of 200 local=False"


def test_a_stage_routes_by_header_when_the_route_cache_is_cleared(rig: Rig) -> None:
    """Case 70: strings in a namespace that Envoy lets in come back; others are dropped."""
    fields = [("content-type", "text/plain")]
    answer = rig.fetch(DUPLEX, "route?to=h2", "POST", fields=fields, body=b"over http2")

    assert (answer.status, answer.body) == (200, b"over http2")
    assert dict(answer.trailers)["grpc-status"] == b"0"
    assert answer.head.get("x-metadata") == "envoy.lb:h2"


def test_metadata_in_namespaces_that_envoy_does_not_take_is_dropped(rig: Rig) -> None:
    """Case 70: the receiving namespaces must be listed."""
    fields = [("content-type", "text/plain")]
    answer = rig.fetch("no-metadata", "route?to=h2", "POST", fields=fields, body=b"b")

    assert answer.status == 200
    assert answer.head.get("x-metadata") == ":"


@pytest.mark.parametrize("door", [DUPLEX, STREAMED])
def test_attributes_reach_the_stage_that_asked(rig: Rig, door: str) -> None:
    """Case 70: attributes beside the first message."""
    head = _seen(rig, door, "tell").head

    assert head.get("x-saw-attribute-path") == "/"
    assert head.get("x-saw-peer") == "127.0.0.1"
