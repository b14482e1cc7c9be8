"""The observability stage: read what an answer cost, report how the exchange ended."""

from collections.abc import Callable
from dataclasses import dataclass, field

from headrace.extensions.observability.usage import MARK, usage_in
from headrace.extensions.records import Usage
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Continue,
    ExchangeInfo,
    Filter,
    Needs,
    OnFailure,
    Outcome,
    ResponseEnd,
    ResponseEvent,
    ResponseNeed,
)
from headrace.extensions.values import DONE

NEEDS = Needs(response=ResponseNeed.OBSERVE)


class Observer(Filter):
    """Watches one exchange. Written by the hooks of that exchange only."""

    __slots__ = ("_report", "_usage")

    def __init__(self, report: Callable[[Outcome], None]) -> None:
        self._report = report
        self._usage: Usage | None = None

    def on_response_event(self, event: ResponseEvent, now_s: float) -> Action:
        """Read the counts of a stream. Few of its events have any, so only those are parsed.

        They are recorded with its last event: a client that has it may leave before its end.
        """
        if not event.event_stream:
            return CONTINUE
        if MARK in event.data:
            # Servers that count as they go say a total each time: the last one is it.
            self._usage = usage_in(event.data) or self._usage
        return self._counted() if event.data == DONE else CONTINUE

    def on_response_end(self, end: ResponseEnd, now_s: float) -> Action:
        """Record the counts, unless the last event of a stream has done so."""
        if not end.event_stream:
            self._usage = usage_in(end.body)
        return self._counted()

    def _counted(self) -> Action:
        usage, self._usage = self._usage, None
        return CONTINUE if usage is None else Continue(records=(usage,))

    def on_end(self, outcome: Outcome, now_s: float) -> None:
        """Report the exchange."""
        self._report(outcome)


@dataclass(frozen=True, slots=True)
class Observability:
    """The stage `observability`. If it fails, the exchange goes on."""

    report: Callable[[Outcome], None] = field(repr=False)
    name: str = "observability"
    needs: Needs = NEEDS
    deadline_s: float = 1.0
    on_failure: OnFailure = OnFailure.OPEN

    def open(self, info: ExchangeInfo) -> Filter:
        """Return a filter that keeps this exchange's counts."""
        return Observer(self.report)
