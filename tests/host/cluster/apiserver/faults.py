"""What can go wrong with an API server, to be ordered from the double."""

import json
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any


class Wrong(Enum):
    """In which way a request goes wrong."""

    STATUS = auto()  # it is answered with an error
    EVENT = auto()  # the watch begins well, and its first event is an error
    MID_LINE = auto()  # the watch is cut in the middle of its first event
    SPLIT = auto()  # every event comes in two chunks
    RESET = auto()  # the connection is reset


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, once."""

    wrong: Wrong
    code: int = 0
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def status(self) -> dict[str, Any]:
        """The error that an event carries."""
        return {"kind": "Status", "code": self.code, "reason": self.reason, "message": "ordered"}


GONE = Fault(Wrong.STATUS, 410, "Expired")
GONE_EVENT = Fault(Wrong.EVENT, 410, "Expired")
BROKEN_EVENT = Fault(Wrong.EVENT, 500, "InternalError")
THROTTLED = Fault(Wrong.STATUS, 429, "TooManyRequests", headers={"retry-after": "1"})
FORBIDDEN = Fault(Wrong.STATUS, 403, "Forbidden")
BROKEN = Fault(Wrong.STATUS, 500, "InternalError")
RESET = Fault(Wrong.RESET)
MID_LINE = Fault(Wrong.MID_LINE)
SPLIT = Fault(Wrong.SPLIT)


@dataclass(frozen=True, slots=True)
class Kept:
    """One line of a watch."""

    octets: bytes

    @classmethod
    def of(cls, event: dict[str, Any]) -> "Kept":
        """Return *event* as a line."""
        return cls(json.dumps(event, separators=(",", ":")).encode() + b"\n")
