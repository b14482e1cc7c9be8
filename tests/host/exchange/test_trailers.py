"""Requests that end with trailers: their body goes on once and whole, or they are refused."""

import pytest

from headrace.extensions.headers import Headers
from headrace.extensions.stage import Continue
from headrace.host.exchange.limits import Limits
from headrace.host.exchange.part import BodyMode, Head, Modes, Trailers
from headrace.host.exchange.reply import (
    BodyReply,
    HeadersReply,
    ImmediateReply,
    Output,
    Streamed,
    TrailersReply,
)
from tests.host.exchange.drive import FDS, REQUEST, RESPONSE, Drive
from tests.host.exchange.stages import OBSERVE, Script

END = Trailers(REQUEST, Headers([("x-sum", "1")]))
STREAMED = Modes(BodyMode.STREAMED, BodyMode.STREAMED)


def refusal(outputs: list[Output]) -> tuple[str, str]:
    """Return the reason and the text of the one answer among *outputs*."""
    (reply,) = [o for o in outputs if isinstance(o, ImmediateReply)]
    return dict(reply.headers)["x-headrace-reason"], reply.body.decode()


@pytest.mark.parametrize(
    ("became", "sent"),
    [(None, b"abc"), (b"other", b"other"), (b"", b"")],
    ids=["kept", "new", "no"],
)
def test_a_body_before_trailers_goes_with_the_head_and_nothing_is_said_after_it(
    became: bytes | None, sent: bytes
) -> None:
    drive = Drive((Script(request=lambda _: Continue(body=became)),))
    drive.head()
    drive.chunk(b"a")
    drive.chunk(b"bc")
    outputs = drive.send(END)

    assert outputs == [HeadersReply(REQUEST, body=sent)]
    assert not drive.exchange._request.owes  # pyright: ignore[reportPrivateUsage]


def test_a_body_given_to_trailers_alone_goes_with_the_head() -> None:
    drive = Drive((Script(request=lambda _: Continue(body=b"given")),))
    drive.head()

    assert drive.send(END) == [HeadersReply(REQUEST, body=b"given")]


def test_trailers_without_a_body_are_let_go_by_their_own_reply() -> None:
    drive = Drive((Script(),))
    drive.head()

    assert drive.send(END) == [HeadersReply(REQUEST), TrailersReply(REQUEST)]


def test_a_body_that_passes_as_it_comes_is_followed_by_the_trailers() -> None:
    drive = Drive((Script(needs=OBSERVE),))
    outputs = [*drive.head(), *drive.chunk(b"a"), *drive.send(END)]

    assert outputs == [
        HeadersReply(REQUEST),
        BodyReply(REQUEST, Streamed(b"a")),
        TrailersReply(REQUEST),
    ]


def test_a_body_too_large_for_one_reply_is_refused_with_the_cure() -> None:
    drive = Drive((Script(),), Modes(FDS, FDS), Limits(reply_bytes_max=10_000))
    drive.head()
    drive.chunk(b"x" * 9_000)
    reason, text = refusal(drive.send(END))

    assert reason == "body-unavailable"
    assert "at most 10000 bytes; send it without trailers" in text


def test_an_upstream_that_answers_the_body_we_withheld_from_it_is_not_believed() -> None:
    drive = Drive((Script(),), STREAMED)
    drive.head()
    drive.chunk(b"a")
    reason, text = refusal(drive.answer())

    assert reason == "body-unavailable"
    assert "may have trailers; set request_body_mode to FULL_DUPLEX_STREAMED or BUFFERED" in text


@pytest.mark.parametrize(("data", "status"), [(b"", "200"), (b"a", "413")])
def test_an_early_answer_to_nothing_withheld_or_of_an_error_passes(
    data: bytes, status: str
) -> None:
    drive = Drive((Script(),), STREAMED)
    drive.head()
    drive.chunk(data)
    outputs = drive.send(Head(RESPONSE, Headers([(":status", status)])))

    assert [type(one) for one in outputs] == [HeadersReply]
