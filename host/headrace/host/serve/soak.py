"""A new policy on trial: it decides on live requests beside the one that serves, without effect.

Its stages see what the serving policy's stages see and work on a store of their own, so
they reserve nothing, learn nothing and report nothing. What they await of the world is not
performed: such a request counts as unjudged.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from headrace.extensions.stage import Outcome, Reject
from headrace.host.exchange.exchange import Exchange as Whole
from headrace.host.exchange.part import Direction, Part
from headrace.host.exchange.reply import Output, Perform
from headrace.host.extproc.opening import Opening
from headrace.host.generation import Generation
from headrace.host.serve.verdict import Verdict, compare

SHADOWS_MAX = 1024  # open at once; what comes beyond them is served and not compared
EXAMPLES_MAX = 8

log = logging.getLogger(__name__)


@dataclass(slots=True)
class SoakReport:
    """What a trial has shown so far. Written by its `Shadow`.

    verdicts   kind -> requests, see `Verdict`
    skipped    requests that were not compared because too many were open
    examples   of those that differ, newest last
    """

    began_s: float
    length_s: float
    verdicts: Counter[str] = field(default_factory=Counter[str])
    skipped: int = 0
    examples: deque[Verdict] = field(default_factory=lambda: deque[Verdict](maxlen=EXAMPLES_MAX))

    @property
    def decisions(self) -> int:
        """How many requests were compared."""
        return sum(self.verdicts.values())

    @property
    def differing(self) -> int:
        """How many of them the new policy would have decided otherwise."""
        return self.decisions - self.verdicts["same"] - self.verdicts["unjudged"]


class Shadow:
    """Runs *generation* beside the serving one. Mutable; event loop's thread only.

    store    the store that its stages were built on
    refresh  brings that store to what is known of the endpoints now
    note     takes the kind of every verdict
    crashed  takes, once, why the policy cannot be trusted
    """

    def __init__(
        self,
        generation: Generation,
        refresh: Callable[[], None],
        report: SoakReport,
        note: Callable[[str], None],
        crashed: Callable[[str], None],
    ) -> None:
        self.generation = generation
        self.report = report
        self._refresh = refresh
        self._note = note
        self._crashed = crashed
        self._broken = False
        self._open = 0

    def open(self, serving: Generation, opening: Opening, now_s: float) -> "Whole | Doubled":
        """Open an exchange of *serving*, with one of ours beside it."""
        if self._broken or self._open >= SHADOWS_MAX:
            self.report.skipped += 1
            return serving.open(opening, now_s)
        exchange_id = serving.next_id()  # both draw lots by it
        live = serving.open(opening, now_s, exchange_id)
        try:
            beside = self.generation.open(opening, now_s, exchange_id)
        except Exception as error:
            self.crash(error)
            return live
        self._open += 1
        return Doubled(live, beside, self)

    def prepare(self) -> None:
        """Make ready for a decision."""
        self._refresh()

    def crash(self, error: Exception) -> None:
        """Note that the policy fell over; say so once."""
        log.debug("the policy on trial failed", exc_info=error)
        self._give_up(f"it failed on a live request: {type(error).__name__}")

    def closed(self, live: Outcome | None, beside: Outcome | None) -> None:
        """Compare how both have decided on one request."""
        self._open -= 1
        if self._broken or live is None:
            return
        failed = _failed(beside) - _failed(live) if beside is not None else set[str]()
        if failed:
            self._give_up(f"stage `{min(failed)}` failed on a live request")
            return
        verdict = compare(live, beside)
        self.report.verdicts[verdict.kind] += 1
        self._note(verdict.kind)
        if verdict.differs:
            self.report.examples.append(verdict)

    def _give_up(self, reason: str) -> None:
        if not self._broken:
            self._broken = True
            self._crashed(reason)


class Doubled:
    """A live exchange with its shadow. Only the live one is heard; see `opening.Exchange`."""

    __slots__ = ("_beside", "_judged", "_live", "_shadow")

    def __init__(self, live: Whole, beside: Whole, shadow: Shadow) -> None:
        self._live = live
        self._beside: Whole | None = beside
        self._judged: Outcome | None = None
        self._shadow = shadow

    @property
    def closed(self) -> bool:
        """Whether nothing is owed."""
        return self._live.closed

    def receive(self, part: Part, now_s: float) -> list[Output]:
        """Take the next part; the shadow first, before the live decision changes the counts."""
        if self._beside is not None and part.direction is Direction.REQUEST:
            self._show(self._beside, part, now_s)
        return self._live.receive(part, now_s)

    def resume(self, ticket: int, reply: object, now_s: float) -> list[Output]:
        """Take the *reply* to the effect *ticket*."""
        return self._live.resume(ticket, reply, now_s)

    def refuse(self, ticket: int, error: str, now_s: float) -> list[Output]:
        """Take the failure of the effect *ticket*."""
        return self._live.refuse(ticket, error, now_s)

    def interrupt(self, ticket: int, reject: Reject, now_s: float) -> list[Output]:
        """End by *reject*; who is on trial has decided before, or never will."""
        return self._live.interrupt(ticket, reject, now_s)

    def deadline(self) -> float | None:
        """Return when `expire` must be called."""
        return self._live.deadline()

    def expire(self, now_s: float) -> list[Output]:
        """Note that the deadline has passed."""
        return self._live.expire(now_s)

    def end(self, termination: str, now_s: float) -> list[Output]:
        """Note the end of the stream, and compare."""
        try:
            return self._live.end(termination, now_s)
        finally:
            self._leave(now_s)
            self._shadow.closed(self._live.outcome, self._judged)

    def _show(self, beside: Whole, part: Part, now_s: float) -> None:
        try:
            self._shadow.prepare()
            outputs = beside.receive(part, now_s)
            awaits = any(isinstance(output, Perform) for output in outputs)
            if beside.decided and not awaits:
                self._leave(now_s, judged=True)
            elif awaits:
                self._leave(now_s)
        except Exception as error:
            self._beside = None
            self._shadow.crash(error)

    def _leave(self, now_s: float, *, judged: bool = False) -> None:
        """End the shadow's exchange; it counts as decided if *judged*."""
        beside, self._beside = self._beside, None
        if beside is None:
            return
        try:
            beside.end("complete", now_s)
            self._judged = beside.outcome if judged else None
        except Exception as error:
            self._shadow.crash(error)


def _failed(outcome: Outcome) -> set[str]:
    return {run.stage for run in outcome.runs if run.result == "failed"}
