"""How a peer is wrong: a fault of one stream, or of the whole connection (RFC 9113 section 5.4)."""

from enum import StrEnum

from headrace.host.extproc.native.frames import ErrorCode


class Refusal(StrEnum):
    """What a limit refused: the closed list of the metric's `kind`."""

    CONNECTIONS = "connections"
    HANDSHAKES = "handshakes"
    EXCHANGES = "exchanges"
    STREAMS = "streams"
    HEADERS = "headers"
    CONTINUATIONS = "continuations"
    RESETS = "resets"
    STREAM_ERRORS = "stream-errors"
    PINGS = "pings"
    SETTINGS = "settings"
    EMPTY_FRAMES = "empty-frames"
    PRIORITIES = "priorities"
    UNKNOWN_FRAMES = "unknown-frames"
    WINDOW_UPDATES = "window-updates"
    MESSAGES_HELD = "messages-held"
    SLOW_READER = "slow-reader"
    STALLED_STREAM = "stalled-stream"
    SLOW_PREFACE = "slow-preface"
    SLOW_SETTINGS = "slow-settings"
    SLOW_HEADERS = "slow-headers"
    IDLE = "idle"
    DEAD_PEER = "dead-peer"
    NOT_HTTP2 = "not-http2"


class ConnectionFault(Exception):
    """The connection must end with GOAWAY *code*; *refusal* is set if a limit was hit."""

    def __init__(self, code: ErrorCode, text: str, refusal: Refusal | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.refusal = refusal


class StreamFault(Exception):
    """The stream must end with RST_STREAM *code*; the connection goes on."""

    def __init__(self, code: ErrorCode, stream_id: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.stream_id = stream_id


def protocol_error(text: str) -> ConnectionFault:
    """Return the fault of a peer that does what HTTP/2 forbids."""
    return ConnectionFault(ErrorCode.PROTOCOL_ERROR, text)


def size_error(text: str) -> ConnectionFault:
    """Return the fault of a peer whose frame has a wrong size."""
    return ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, text)
