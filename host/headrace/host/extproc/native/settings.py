"""The peer's SETTINGS, checked (RFC 9113 section 6.5.2)."""

from dataclasses import dataclass, replace

from headrace.host.extproc.native.faults import ConnectionFault, protocol_error
from headrace.host.extproc.native.frames import (
    FRAME_BYTES_DEFAULT,
    FRAME_BYTES_MAX,
    INITIAL_WINDOW_SIZE,
    WINDOW_DEFAULT,
    WINDOW_MAX,
    ErrorCode,
    setting_pairs,
)

ENABLE_PUSH = 0x2
MAX_FRAME_SIZE = 0x5


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """What of the peer's settings matters to us: we neither push nor compress with a table."""

    window_bytes: int = WINDOW_DEFAULT
    frame_bytes_max: int = FRAME_BYTES_DEFAULT

    def changed(self, payload: bytes) -> "PeerSettings":
        """Return the settings after a SETTINGS frame with *payload*.

        Raises:
            ConnectionFault: a value is out of range.
        """
        after = self
        for name, value in setting_pairs(payload):
            if name == ENABLE_PUSH and value > 1:
                raise protocol_error("SETTINGS_ENABLE_PUSH is 0 or 1")
            if name == INITIAL_WINDOW_SIZE:
                if value > WINDOW_MAX:
                    raise ConnectionFault(
                        ErrorCode.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE too large"
                    )
                after = replace(after, window_bytes=value)
            if name == MAX_FRAME_SIZE:
                if not FRAME_BYTES_DEFAULT <= value <= FRAME_BYTES_MAX:
                    raise protocol_error("SETTINGS_MAX_FRAME_SIZE out of range")
                after = replace(after, frame_bytes_max=value)
        return after
