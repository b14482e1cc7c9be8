"""How often a peer may do what costs us more than it: a budget per kind and connection."""

from headrace.host.extproc.native.faults import ConnectionFault, Refusal
from headrace.host.extproc.native.frames import ErrorCode
from headrace.host.extproc.native.limits import Budget, Limits


class Temper:
    """The budgets of one connection. Mutable.

    now_s  the time that spending is reckoned by; set by the Connection
    """

    __slots__ = ("_budgets", "_unanswered", "now_s")

    def __init__(self, limits: Limits, now_s: float) -> None:
        rates = {
            Refusal.RESETS: limits.resets,
            Refusal.STREAM_ERRORS: limits.stream_errors,
            Refusal.PINGS: limits.pings,
            Refusal.SETTINGS: limits.settings,
            Refusal.EMPTY_FRAMES: limits.empty_frames,
            Refusal.PRIORITIES: limits.priorities,
            Refusal.UNKNOWN_FRAMES: limits.unknown_frames,
            Refusal.WINDOW_UPDATES: limits.small_updates,
        }
        self._budgets = {kind: Budget(rate, now_s) for kind, rate in rates.items()}
        self._unanswered = Budget(limits.unanswered, now_s)
        self.now_s = now_s

    def spend(self, kind: Refusal) -> None:
        """Let the peer do *kind* once more.

        Raises:
            ConnectionFault: it did so too often.
        """
        if not self._budgets[kind].spend(self.now_s):
            raise _too_many(kind)

    def spend_reset(self, *, heard: bool) -> None:
        """Let the peer reset a stream that we have not answered; *heard*: it had sent data.

        Raises:
            ConnectionFault: it did so too often.
        """
        if not heard:
            self.spend(Refusal.RESETS)
        elif not self._unanswered.spend(self.now_s):
            raise _too_many(Refusal.RESETS)


def _too_many(kind: Refusal) -> ConnectionFault:
    return ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"too many {kind}", kind)
