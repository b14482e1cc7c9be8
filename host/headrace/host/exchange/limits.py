"""Every bound of an exchange, in one place."""

from dataclasses import dataclass
from math import inf

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one exchange may take. Nothing in the core grows beyond these.

    body_bytes_max         request body, as sent and as decoded; more is answered 413
    chunk_bytes_max        one streamed reply; 62,000 as the reference, below Envoy's 64 KiB
    body_idle_s            how long a held request body may pause; more is answered 408
    gate_bytes_max         response bytes held back for a gating stage
    observe_bytes_max      response bytes kept for an observing stage; beyond it sees nothing
    headers_max            header fields after our changes; Envoy's own default limit is 100
    message_timeout_s      Envoy's `message_timeout`; in FULL_DUPLEX_STREAMED it has none
    message_timeout_max_s  Envoy's `max_message_timeout`; 0 means it takes no extension
    answer_within_s        what a stage may take at most, in every body mode: for a proxy whose
                           timeout runs in FULL_DUPLEX_STREAMED too
    reply_bytes_max        one message of ours, which a proxy may refuse if it is larger
    """

    body_bytes_max: int = 32 * MIB
    chunk_bytes_max: int = 62_000
    body_idle_s: float = 60.0
    gate_bytes_max: int = 8 * MIB
    observe_bytes_max: int = 4 * MIB
    headers_max: int = 100
    json_depth_max: int = 64
    message_timeout_s: float = 0.2
    message_timeout_max_s: float = 0.0
    answer_within_s: float = inf
    reply_bytes_max: int = (1 << 31) - 1
