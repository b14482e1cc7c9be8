"""A circuit breaker: a provider that has just failed too often is left alone for a while.

Pure: the time is an argument. One belongs to one guard and is shared by all exchanges.
"""

from headrace.extensions.safety.contract import Kind, Trouble

# What says that the provider itself is ill. Our own limits, and texts that nobody can read, do not.
ILL = frozenset((Kind.ERROR, Kind.UNREACHABLE, Kind.TIMEOUT))
PAUSE_S_MAX = 300.0  # a provider that asks for more is tried again all the same


class Breaker:
    """Counts failures in a row. Written from the event loop's thread, by its guard.

    It opens for *open_s* after *failures_max* of them. Then one call is let through to try:
    it closes the breaker, or opens it for as long again. A quota opens it at once.
    """

    __slots__ = ("_failures", "_failures_max", "_open_s", "_until_s")

    def __init__(self, failures_max: int, open_s: float) -> None:
        self._failures_max = failures_max
        self._open_s = open_s
        self._failures = 0
        self._until_s: float | None = None

    def allows(self, now_s: float) -> bool:
        """Return whether the provider may be asked; of several who may not yet, one may try."""
        if self._until_s is None:
            return True
        if now_s < self._until_s:
            return False
        self._until_s = now_s + self._open_s  # for all but this one, until it is told how it went
        return True

    def answered(self) -> None:
        """Note that the provider gave a verdict."""
        self._failures, self._until_s = 0, None

    def failed(self, trouble: Trouble, now_s: float) -> None:
        """Note that it gave none."""
        if trouble.kind is Kind.QUOTA:
            pause_s = self._open_s if trouble.retry_after_s is None else trouble.retry_after_s
            self._until_s = now_s + min(max(0.0, pause_s), PAUSE_S_MAX)
        elif trouble.kind in ILL:
            self._failures += 1
            if self._failures >= self._failures_max:
                self._until_s = now_s + self._open_s
