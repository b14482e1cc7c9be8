"""HTTP messages as a test writes them, and what came out at both ends of an exchange."""

from dataclasses import dataclass, field

from headrace.extensions.headers import Pairs
from headrace.extensions.stage import Json, Outcome


@dataclass(frozen=True, slots=True)
class Message:
    """One HTTP request or response, pseudo-headers included. *trailers* None: it has none."""

    headers: Pairs
    body: bytes = field(default=b"", repr=False)
    trailers: Pairs | None = None

    @staticmethod
    def post(path: str, body: bytes, **headers: str) -> "Message":
        """Return a JSON request; header names are written with ``_`` for ``-``."""
        return Message(
            (
                (":method", "POST"),
                (":path", path),
                (":authority", "test"),
                ("content-type", "application/json"),
                *((name.replace("_", "-"), value) for name, value in headers.items()),
            ),
            body,
        )

    @staticmethod
    def answer(body: bytes, status: int = 200, content_type: str = "application/json") -> "Message":
        """Return a response."""
        return Message(((":status", str(status)), ("content-type", content_type)), body)


@dataclass(slots=True)
class Seen:
    """What both ends of one exchange saw. Written by the model of Envoy that ran it.

    upstream    the request as the upstream got it; None if none went out whole
    downstream  the response as the client got it; None if the stream was reset
    violations  replies that Envoy would have refused as spurious
    """

    upstream: Message | None = None
    downstream: Message | None = None
    metadata: dict[str, dict[str, Json]] = field(default_factory=dict[str, dict[str, Json]])
    route_cache_cleared: bool = False
    aborted: str = ""
    violations: list[str] = field(default_factory=list[str])
    outcome: Outcome | None = None

    @property
    def status(self) -> int:
        """The status the client got; 0 if its stream was reset."""
        return int(dict(self.downstream.headers)[":status"]) if self.downstream else 0

    @property
    def reason(self) -> str:
        """The word of `x-headrace-reason`; empty if the answer was not ours."""
        if self.downstream is None:
            return ""
        return dict(self.downstream.headers).get("x-headrace-reason", "")
