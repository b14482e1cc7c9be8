"""RFC 9113, section 3: the preface."""

import pytest

from tests.conformance import frames
from tests.conformance.frames import PREFACE, Code, Kind
from tests.conformance.peer import raw
from tests.conformance.site import TRANSPORTS, Site

BOTH = pytest.mark.parametrize("site", TRANSPORTS, indirect=True)
FIRST_IS_NO_SETTINGS = {
    "PING": frames.ping(),
    "HEADERS": frames.headers(1, b"\x82\x84\x86"),
    "WINDOW_UPDATE": frames.window_update(0, 1),
    "an ACK": frames.settings(ack=True),
}
NO_PREFACE = {
    "another text": b"INVALID CONNECTION PREFACE\r\n\r\n",
    "HTTP/1.1": b"GET / HTTP/1.1\r\nhost: headrace.test\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "one octet wrong at its end": PREFACE[:-1] + b"\r" + frames.settings(),
    "zeros": bytes(64),
}


@BOTH
def test_3_4_the_preface_is_answered_by_settings_first(site: Site) -> None:
    with raw(site.port) as peer:
        peer.send(PREFACE, frames.settings())
        first = peer.next()

        assert first is not None
        assert first.kind == Kind.SETTINGS
        assert not first.acknowledges


@BOTH
def test_3_4_the_preface_and_a_request_may_come_octet_by_octet(site: Site) -> None:
    with raw(site.port) as peer:
        for octet in PREFACE + frames.settings() + frames.ping(b"in drops"):
            peer.send(bytes([octet]))

        assert peer.until(lambda f: f.acknowledges and f.payload == b"in drops")


@BOTH
def test_3_4_a_client_may_send_requests_before_it_has_seen_our_settings(site: Site) -> None:
    with raw(site.port) as peer:
        peer.send(PREFACE, frames.settings(), frames.ping(b"in haste"))

        assert peer.until(lambda f: f.acknowledges and f.payload == b"in haste")


@BOTH
@pytest.mark.parametrize("sent", NO_PREFACE.values(), ids=NO_PREFACE)
def test_3_4_what_is_no_preface_ends_the_connection(site: Site, sent: bytes) -> None:
    with raw(site.port) as peer:
        peer.send(sent)
        away = peer.gone()

        assert away is None or away.code == Code.PROTOCOL_ERROR


@pytest.mark.parametrize("site", ["native"], indirect=True)
@pytest.mark.parametrize("sent", FIRST_IS_NO_SETTINGS.values(), ids=FIRST_IS_NO_SETTINGS)
def test_3_4_the_first_frame_must_be_settings(site: Site, sent: bytes) -> None:
    """C-core is not asked: it takes any frame first."""
    with raw(site.port) as peer:
        peer.send(PREFACE, sent)
        away = peer.gone()

        assert away is not None
        assert away.code == Code.PROTOCOL_ERROR
