"""gRPC over HTTP/2: what a call is, byte by byte, and how one is turned down."""

import pytest

from headrace.host.extproc.proto import messages as pb
from tests.conformance import frames
from tests.conformance.calls import HEAD, PATH, chain, chunk, message, request
from tests.conformance.fields import block
from tests.conformance.frames import Code, Kind
from tests.conformance.peer import Peer, connected
from tests.conformance.site import TRANSPORTS, Site

BOTH = pytest.mark.parametrize("site", TRANSPORTS, indirect=True)
NATIVE = pytest.mark.parametrize("site", ["native"], indirect=True)
OPEN = frames.headers(1, request())
END = frames.data(1, end=True)
OK, CANCELLED, UNIMPLEMENTED, INTERNAL, EXHAUSTED = "0", "1", "12", "13", "8"
ENCODED = "50%25 caf%C3%A9%0D%0Aand %E2%98%83 more"  # of the target's nasty message
GOOD_TYPES = ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"]
BAD_TYPES = [None, "", "application/json", "text/html", "application/grp", "APPLICATION"]


def lives(peer: Peer) -> None:
    """Assert that the connection is as good as new."""
    stream = max((f.stream for f in peer.seen), default=0) + 1000
    stream += 1 - stream % 2
    peer.send(frames.headers(stream, request()), frames.data(stream, HEAD, end=True))
    answer = peer.answer(stream)
    assert (answer.status, answer.grpc_status, len(answer.messages)) == ("200", OK, 1)


@BOTH
def test_a_call_is_answered_by_head_messages_and_trailers(site: Site) -> None:
    with connected(site.port) as peer:
        peer.send(OPEN, frames.data(1, HEAD), END)
        answer = peer.answer(1)

        assert [f.kind for f in answer.frames if f.payload and f.kind != Kind.WINDOW_UPDATE] == [
            Kind.HEADERS, Kind.DATA, Kind.HEADERS,
        ]  # fmt: skip
        head, trailers = answer.blocks
        assert head[":status"] == "200"
        assert head["content-type"].startswith("application/grpc")
        assert trailers["grpc-status"] == OK
        reply = pb.ProcessingResponse.FromString(answer.messages[0])
        assert reply.WhichOneof("response") == "request_headers"


@BOTH
@pytest.mark.parametrize("content_type", GOOD_TYPES)
def test_content_types_of_grpc_are_taken(site: Site, content_type: str) -> None:
    with connected(site.port) as peer:
        peer.send(frames.headers(1, request(content_type=content_type), end=True))

        assert peer.answer(1).grpc_status == OK


@NATIVE
@pytest.mark.parametrize("content_type", BAD_TYPES, ids=repr)
def test_other_content_types_are_415(site: Site, content_type: str | None) -> None:
    with connected(site.port) as peer:
        before = site.tally().opened
        peer.send(frames.headers(1, request(content_type=content_type)), frames.data(1, HEAD))

        assert peer.answer(1).status == "415"
        lives(peer)
        assert site.tally().opened == before + 1


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "OPTIONS", "post", "PATCH"])
@NATIVE
def test_methods_other_than_post_are_no_call(site: Site, method: str) -> None:
    with connected(site.port) as peer:
        before = site.tally().opened
        peer.send(frames.headers(1, request(method=method), end=True))
        answer = peer.answer(1)

        assert answer.status[:1] == "4" or answer.grpc_status in (UNIMPLEMENTED, INTERNAL)
        lives(peer)
        assert site.tally().opened == before + 1


@pytest.mark.parametrize(
    "path", ["/", PATH[:-1], PATH + "/", PATH.lower(), "/a/b/c", "//", "/" + "x" * 4000, "/%2e/x"]
)
@BOTH
def test_a_path_of_no_method_is_unimplemented(site: Site, path: str) -> None:
    with connected(site.port) as peer:
        peer.send(frames.headers(1, request(path=path)), frames.data(1, HEAD))
        answer = peer.answer(1)

        assert (answer.status, answer.grpc_status) == ("200", UNIMPLEMENTED)
        assert answer.blocks[0]["content-type"].startswith("application/grpc")
        lives(peer)


@BOTH
def test_te_may_be_missing_or_not_but_the_connection_lives(site: Site) -> None:
    with connected(site.port) as peer:
        peer.send(frames.headers(1, request(te=None)), frames.data(1, HEAD, end=True))

        assert peer.answer(1).frames
        lives(peer)


@NATIVE
@pytest.mark.parametrize("coding", [None, "identity", "gzip", "deflate", "x-unknown"])
def test_a_compressed_message_is_refused_and_says_what_is_spoken(
    site: Site, coding: str | None
) -> None:
    with connected(site.port) as peer:
        before = site.tally().parts
        more = [("grpc-encoding", coding)] if coding else []
        peer.send(frames.headers(1, request(*more)), frames.data(1, message(HEAD[5:], 1)))
        answer = peer.answer(1)

        assert answer.grpc_status in (UNIMPLEMENTED, INTERNAL)
        if coding not in (None, "identity"):
            assert answer.grpc_status == UNIMPLEMENTED
            spoken = [b.get("grpc-accept-encoding", "") for b in answer.blocks]
            assert "identity" in spoken
        assert site.tally().parts == before
        lives(peer)


@pytest.mark.parametrize("flag", [2, 0x74, 0xFF])
@NATIVE
def test_a_first_octet_that_is_no_flag_is_refused(site: Site, flag: int) -> None:
    with connected(site.port) as peer:
        before = site.tally().parts
        peer.send(OPEN, frames.data(1, message(HEAD[5:], flag)))

        assert peer.answer(1).grpc_status in (UNIMPLEMENTED, INTERNAL)
        assert site.tally().parts == before
        lives(peer)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@BOTH
def test_a_message_may_be_cut_anywhere(site: Site, size: int) -> None:
    sent = HEAD + chunk(10) + chunk(0, end_of_stream=True)
    with connected(site.port) as peer:
        pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
        peer.send(OPEN, *[frames.data(1, piece) for piece in pieces], END)
        answer = peer.answer(1)

        assert len(answer.messages) == 3
        assert answer.grpc_status == OK


@BOTH
def test_many_messages_of_one_frame_are_answered_in_order(site: Site) -> None:
    with connected(site.port) as peer:
        peer.send(OPEN, frames.data(1, HEAD + b"".join(chunk(n) for n in range(100))), END)
        answer = peer.answer(1)

        replies = [pb.ProcessingResponse.FromString(m) for m in answer.messages[1:]]
        bodies = [r.request_body.response.body_mutation.streamed_response.body for r in replies]
        assert [len(b) for b in bodies] == list(range(100))


@BOTH
def test_a_message_of_no_octets_is_a_message(site: Site) -> None:
    """An empty ProcessingRequest: well framed, and then refused by what it says."""
    with connected(site.port) as peer:
        peer.send(OPEN, frames.data(1, message(b"")))

        assert peer.answer(1).grpc_status == "3"
        lives(peer)


@BOTH
def test_half_closing_without_a_message_is_ok_in_one_block(site: Site) -> None:
    with connected(site.port) as peer:
        before = site.tally().opened
        peer.send(OPEN, END)
        answer = peer.answer(1)

        assert answer.grpc_status == OK
        assert site.tally().opened == before


@BOTH
def test_half_closing_while_an_answer_is_owed_is_cancelled(site: Site) -> None:
    with connected(site.port) as peer:
        peer.send(frames.headers(1, chain("owing")), frames.data(1, HEAD, end=True))

        assert peer.answer(1).grpc_status == CANCELLED  # UNAVAILABLE would be tried again


@pytest.mark.parametrize("cut", [1, 4, 5, len(HEAD) - 1])
@NATIVE
def test_half_closing_inside_of_a_message_is_not_ok(site: Site, cut: int) -> None:
    with connected(site.port) as peer:
        before = site.tally().parts
        peer.send(OPEN, frames.data(1, HEAD[:cut], end=True))
        answer = peer.answer(1)

        assert answer.reset_code is not None or answer.grpc_status != OK
        assert site.tally().parts == before
        lives(peer)


@BOTH
def test_trailers_of_the_client_half_close_like_an_empty_frame(site: Site) -> None:
    with connected(site.port) as peer:
        peer.send(OPEN, frames.data(1, HEAD), frames.headers(1, block(("x-t", "v")), end=True))
        answer = peer.answer(1)

        assert (len(answer.messages), answer.grpc_status) == (1, OK)


@BOTH
def test_an_abort_carries_its_message_percent_encoded(site: Site) -> None:
    with connected(site.port) as peer:
        peer.send(frames.headers(1, chain("abort")), frames.data(1, HEAD))
        answer = peer.answer(1)

        assert answer.grpc_status == INTERNAL
        assert answer.blocks[-1]["grpc-message"] == ENCODED
        assert answer.blocks[0][":status"] == "200"


@BOTH
def test_what_comes_after_an_abort_is_passed_over(site: Site) -> None:
    with connected(site.port) as peer:
        late = frames.headers(1, chain("late abort"))
        peer.send(late, frames.data(1, HEAD + chunk(1)), *[frames.data(1, chunk(9))] * 20)
        answer = peer.answer(1)
        peer.send(*[frames.data(1, chunk(9))] * 20)

        assert (len(answer.messages), answer.grpc_status) == (1, EXHAUSTED)
        lives(peer)
        assert not peer.of(Kind.GOAWAY)


@pytest.mark.parametrize("size", [10_001, 2**24, 2**32 - 1])
@BOTH
def test_a_message_over_the_limit_is_refused_by_its_prefix(site: Site, size: int) -> None:
    port = site.start(message_bytes_max=10_000)
    with connected(port) as peer:
        peer.send(OPEN, frames.data(1, message(b"", 0, size)))

        assert peer.answer(1).grpc_status == EXHAUSTED
        lives(peer)


@BOTH
def test_a_message_at_the_limit_is_taken(site: Site) -> None:
    sent = chunk(9000)
    port = site.start(message_bytes_max=len(sent) - 5)
    with connected(port) as peer:
        peer.send(frames.headers(1, chain("mute")), frames.data(1, sent), END)

        assert peer.answer(1).grpc_status == OK


@BOTH
def test_a_reset_inside_of_a_message_ends_its_exchange_only(site: Site) -> None:
    with connected(site.port) as peer:
        peer.send(OPEN, frames.data(1, HEAD))
        peer.arrived(1, 1)
        peer.send(frames.data(1, chunk(500)[:100]), frames.reset(1, Code.CANCEL))

        lives(peer)
        peer.settle()
        assert site.emptied()


@BOTH
def test_streams_do_not_wait_for_each_other(site: Site) -> None:
    with connected(site.port) as peer:
        streams = range(1, 101, 2)
        peer.send(*[frames.headers(s, request()) for s in streams])
        peer.send(*[frames.data(s, HEAD[:9]) for s in reversed(streams)])
        peer.send(*[frames.data(s, HEAD[9:], end=True) for s in streams])

        assert all(len(peer.answer(s).messages) == 1 for s in streams)
