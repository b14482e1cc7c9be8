"""Run one exchange's filters: first to last on the request, last to first on the response.

Hooks that await are driven by hand, without an event loop: a `Steps` generator yields
each effect and is sent its reply, so every kind of host runs this code. What a hook
changes is applied only when it has succeeded; a hook that raises, asks for what may
not be, or is thrown `EffectRefused` or `DeadlineMissed`, takes its stage's road.
"""

from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import closing
from functools import lru_cache
from typing import Any, TypeVar, cast

from msgspec import Struct
from msgspec.structs import replace

from headrace.extensions.headers import Pairs
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Answer,
    Asking,
    Continue,
    Effect,
    EndReply,
    Filter,
    OnFailure,
    Outcome,
    Reject,
    Request,
    ResponseNeed,
    SendChunk,
    Stage,
    StageRun,
    StartReply,
)
from headrace.host.exchange.fold import ChangeRefused

T = TypeVar("T")
Hook = Callable[[Any, float], Any]  # a hook's value differs by hook; its result is checked
Apply = Callable[["Slot", Action], None]
RUNS_MAX = 1_000  # a stage that records something of every event of a long stream
OFTEN = frozenset(("on_response_event", "on_response_idle"))  # told only if they say something
ACTIONS = frozenset((Continue, Reject, Answer, EndReply))


class EffectRefused(Exception):
    """The host does not know the effect, or performing it failed."""


class DeadlineMissed(Exception):
    """The hook took longer than its stage's `deadline_s`."""


class BadAction(Exception):
    """A hook did what its contract does not allow: a bug of the stage."""


class Ask(Struct, frozen=True):
    """An effect that a hook awaits, and when the hook must be done."""

    stage: str
    effect: Effect[Any]
    due_s: float


Steps = Generator[Ask, Any, T]


class Slot(Struct):
    """One stage's filter in one exchange. Written by its chain only.

    on_end  `on_response_end` is to be called
    hears   `on_end` is
    out     the stage has failed and is not asked again (but for `on_end`)
    idle_s  of the filter
    """

    stage: Stage
    filter: Filter
    on_request: bool
    on_head: bool
    on_event: bool
    on_end: bool
    hears: bool
    out: bool = False
    idle_s: float | None = None


def slot(stage: Stage, opened: Filter) -> Slot:
    """Return a slot that knows which hooks of *opened* are to be called: those it has and needs."""
    kind: Any = type(opened)  # mypy takes a class for unhashable
    return Slot(stage, opened, *_hooks(kind, stage.needs.response), False, opened.idle_s)


@lru_cache(maxsize=256)  # asked for every exchange, of the few stages of a chain
def _hooks(kind: type[Filter], need: ResponseNeed) -> tuple[bool, bool, bool, bool, bool]:
    """Return whether each hook is to be called, in the order of the fields of `Slot`."""
    told = need is not ResponseNeed.NONE
    return (
        kind.on_request is not Filter.on_request,
        kind.on_response_headers is not Filter.on_response_headers,
        told and kind.on_response_event is not Filter.on_response_event,
        told and kind.on_response_end is not Filter.on_response_end,
        kind.on_end is not Filter.on_end,
    )


class Asked(Struct, frozen=True):
    """A hook that was called and awaits; *hook* is its coroutine, if the stage keeps the rules."""

    at: Slot
    name: str
    value: object
    apply: Apply
    started_s: float
    hook: Any


class Chain(Struct):
    """The filters of one exchange and the log of their runs. Written by one Exchange.

    now_s      set by the exchange before each step
    clock      for the durations in the log only; decisions use `now_s`
    asked      how many slots have been asked `on_request`: they see local replies
    runs       the log, its first `RUNS_MAX` entries
    beside     what hooks of this pass want to go on beside the next ones
    streaming  a stage has begun a streamed answer of its own
    """

    slots: tuple[Slot, ...]
    clock: Callable[[], float]
    now_s: float = 0.0
    asked: int = 0
    streaming: bool = False
    runs: list[StageRun] = []
    beside: list[Asked] = []

    def call(
        self, at: Slot, name: str, hook: Hook, value: object, apply: Apply
    ) -> "Action | Asked":
        """Call one hook and apply what it decides; on a failure take the stage's road.

        A hook that awaits has decided nothing yet: `drive` what comes back.
        """
        started_s = self.clock()
        try:
            decided = hook(value, self.now_s)
            if decided is CONTINUE:  # the usual case: nothing to apply, nothing recorded
                if name != "on_response_event":
                    self._note(at, name, started_s, "continue")
            elif type(decided) not in ACTIONS:
                return Asked(at, name, value, apply, started_s, decided)
            else:
                self._settle(at, name, started_s, decided, apply)
        except Exception as fault:  # whatever a stage raises is the stage's failure
            return self._road(at, name, started_s, fault, value, apply)
        settled: Action = decided
        return settled

    def drive(self, asked: "Asked") -> Steps[Action]:
        """Drive a hook that awaits to its decision, then do as `call` does."""
        at, name, started_s = asked.at, asked.name, asked.started_s
        try:
            action = yield from self._driven(at, name, asked.hook)
            self._settle(at, name, started_s, action, asked.apply)
        except Exception as fault:  # as in `call`
            return self._road(at, name, started_s, fault, asked.value, asked.apply)
        except GeneratorExit:  # nobody waits for its decision any more
            self._note(at, name, started_s, "left", at.filter.left(self.now_s))
            raise
        return action

    def cut(self) -> None:
        """Ask every filter for the records of a response whose end it was not told."""
        for at in self.slots:
            started_s = self.clock()
            try:
                records = at.filter.cut(self.now_s)
            except Exception as fault:  # the other filters must still be asked
                self._note(at, "cut", started_s, "failed", (), "open", _where(fault))
                continue
            if records:
                self._note(at, "cut", started_s, "left", records)

    def finish(self, outcome: Outcome) -> None:
        """Tell every filter, first to last, how the exchange ended."""
        for at in self.slots:
            if not at.hears:
                continue
            started_s = self.clock()
            try:
                at.filter.on_end(outcome, self.now_s)
            except Exception as fault:  # the other filters must still be told
                self._note(at, "on_end", started_s, "failed", (), "open", _where(fault))
                outcome = replace(outcome, runs=tuple(self.runs))

    def _settle(self, at: Slot, name: str, started_s: float, action: Action, apply: Apply) -> None:
        if type(action) is EndReply and not self.streaming:
            raise BadAction("`EndReply` without `StartReply`")
        if action is not CONTINUE:
            apply(at, action)
        if action.records or type(action) is not Continue or name not in OFTEN:
            self._note(at, name, started_s, _RESULTS[type(action)], action.records)

    def _driven(self, at: Slot, name: str, hook: Any) -> Steps[Action]:
        if not isinstance(hook, Coroutine):
            raise BadAction(f"`{name}` gave {type(hook).__name__}, not an action")
        waiting = cast(Asking, hook)
        due_s = self.now_s + at.stage.deadline_s
        reply: object = None
        with closing(waiting):
            while True:
                try:
                    effect: Any = waiting.send(reply)
                except StopIteration as end:
                    if type(end.value) not in ACTIONS:
                        raise BadAction(f"`{name}` gave {type(end.value).__name__}") from None
                    decided: Action = end.value
                    return decided
                if not isinstance(effect, Effect):
                    raise BadAction(f"`{name}` may await effects only")
                if isinstance(effect, StartReply | SendChunk):
                    self._may_stream(effect, name)
                    due_s = self.now_s + at.stage.deadline_s
                if effect.patience_s > 0.0:
                    due_s = max(due_s, self.now_s + at.stage.deadline_s + effect.patience_s)
                reply = yield Ask(at.stage.name, effect, due_s)  # pyright: ignore[reportUnknownArgumentType]

    def _may_stream(self, effect: StartReply | SendChunk, name: str) -> None:
        starts = isinstance(effect, StartReply)
        if starts == self.streaming or name not in ("on_request", "on_response_headers"):
            raise BadAction(f"`{type(effect).__name__}` may not come now")
        self.streaming = True

    def _road(
        self, at: Slot, name: str, started_s: float, fault: Exception, value: object, apply: Apply
    ) -> Action:
        result = "timeout" if isinstance(fault, DeadlineMissed) else "failed"
        policy = at.stage.on_failure
        self._note(at, name, started_s, result, (), policy.value, _where(fault))
        if policy is OnFailure.FALLBACK and name == "on_request" and isinstance(value, Request):
            try:
                action = at.filter.fallback(value, self.now_s)
                apply(at, action)
            except Exception as again:  # a failing fallback leaves the closed road
                self._note(at, "fallback", self.clock(), "failed", (), "closed", _where(again))
            else:
                result = _RESULTS[type(action)]
                self._note(at, "fallback", self.clock(), result, action.records)
                return action
        elif policy is not OnFailure.CLOSED:
            at.out = True
            return Continue()
        at.out = True  # an observer cannot end the exchange, and would fail at every event
        return _closed(at.stage.name, fault)

    def _note(
        self,
        at: Slot,
        hook: str,
        started_s: float,
        result: str,
        records: tuple[object, ...] = (),
        road: str = "",
        error: str = "",
    ) -> None:
        if len(self.runs) >= RUNS_MAX:
            return
        self.runs.append(
            StageRun(at.stage.name, hook, started_s, self.clock(), result, road, error, records)
        )


class Stopped(Struct, frozen=True):
    """The chain ended with an answer of ours. *headers* are its final ones, `:status` left out."""

    answer: Reject | Answer | EndReply
    headers: Pairs = ()


def closed_slots(slots: Sequence[Slot]) -> list[Slot]:
    """Return the slots still in the chain, last to first, that want response heads."""
    return [s for s in reversed(slots) if s.on_head and not s.out]


def _closed(stage: str, fault: Exception) -> Reject:
    if isinstance(fault, DeadlineMissed):
        return Reject(Reason.STAGE_TIMEOUT, f"stage `{stage}` missed its deadline, try again")
    if isinstance(fault, ChangeRefused):
        return Reject(Reason.CHANGE_REFUSED, f"a change by stage `{stage}` was refused")
    return Reject(Reason.STAGE_FAILED, f"stage `{stage}` failed, try again")


_RESULTS = {Continue: "continue", Reject: "reject", Answer: "answer", EndReply: "answer"}


def _where(fault: Exception) -> str:
    """Return what failed and where, without the message: that may quote a prompt."""
    if isinstance(fault, ChangeRefused | BadAction | EffectRefused):
        return f"{type(fault).__name__}: {fault}"
    place = fault.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None:
        return type(fault).__name__
    name = place.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f"{type(fault).__name__} at {name}:{place.tb_lineno}"
