"""What the wire counts."""

from typing import Protocol


class Counts(Protocol):
    """Told of everything countable on the wire, from the event loop's thread."""

    def opened(self) -> None:
        """Count a stream that began."""
        ...

    def closed(self, termination: str) -> None:
        """Count a stream that ended, by the words of `Exchange.end`."""
        ...

    def received(self, messages: int, size_bytes: int) -> None:
        """Count the messages of the peer in one stream, when it has ended."""
        ...

    def sent(self, messages: int, size_bytes: int) -> None:
        """Count the messages to the peer in one stream, when it has ended."""
        ...

    def ignored(self) -> None:
        """Count a message without a part: gRPC flow control."""
        ...

    def aborted(self, code: str) -> None:
        """Count a stream that we ended with the gRPC status *code*."""
        ...

    def bug(self, where: str) -> None:
        """Count a broken invariant of ours; *where* is a fixed word."""
        ...

    def refused(self, kind: str) -> None:
        """Count what a limit of the transport refused, by a fixed word."""
        ...


class NoCounts:
    """Counts nothing."""

    def opened(self) -> None:
        """Do nothing."""

    def closed(self, termination: str) -> None:
        """Do nothing."""

    def received(self, messages: int, size_bytes: int) -> None:
        """Do nothing."""

    def sent(self, messages: int, size_bytes: int) -> None:
        """Do nothing."""

    def ignored(self) -> None:
        """Do nothing."""

    def aborted(self, code: str) -> None:
        """Do nothing."""

    def bug(self, where: str) -> None:
        """Do nothing."""

    def refused(self, kind: str) -> None:
        """Do nothing."""
