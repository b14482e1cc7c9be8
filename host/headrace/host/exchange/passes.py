"""The four passes through a chain: request, response head, response event, response end."""

from collections.abc import Generator, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from headrace.extensions.headers import EMPTY, Headers
from headrace.extensions.stage import (
    Action,
    Answer,
    Continue,
    Effect,
    EndReply,
    Json,
    Reject,
    Request,
    ResponseEnd,
    ResponseEvent,
    ResponseHead,
    ResponseNeed,
    StartReply,
)
from headrace.host.exchange.chain import (
    Ask,
    Asked,
    BadAction,
    Chain,
    Slot,
    Steps,
    Stopped,
    closed_slots,
)
from headrace.host.exchange.event_stream import events_in
from headrace.host.exchange.fold import ChangeRefused, Overlay
from headrace.host.exchange.local import head_of, status_of


class Change(Struct):
    """What the hooks of one pass have changed so far. Written by that pass only."""

    overlay: Overlay
    body: bytes | None = None
    clear_route_cache: bool = False
    metadata: dict[str, dict[str, Json]] | None = None
    watch: Effect[Reject] | None = None

    def take(self, action: Continue) -> None:
        """Add one hook's changes.

        Raises:
            ChangeRefused: a header change is not allowed; then nothing is added.
        """
        if action.set_headers or action.append_headers or action.remove_headers:
            self.overlay.change(action.set_headers, action.append_headers, action.remove_headers)
        if action.body is not None:
            self.body = action.body
        self.clear_route_cache = self.clear_route_cache or action.clear_route_cache
        self.watch = self.watch or action.watch
        if action.metadata:
            merged = self.metadata or {}
            for namespace, values in action.metadata.items():
                merged.setdefault(namespace, {}).update(values)
            self.metadata = merged


def unchanged() -> Change:
    """Return no change to no headers."""
    return Change(Overlay(EMPTY))


class Passed(Struct, frozen=True):
    """Every stage lets it pass, with these changes."""

    change: Change
    request: Request | None = None


def request_pass(chain: Chain, request: Request, change: Change) -> Steps[Passed | Stopped]:
    """Ask every stage about *request*, first to last; the first that answers it ends the pass."""
    seen = request

    def apply(at: Slot, action: Action) -> None:
        nonlocal request
        if not isinstance(action, Continue):
            return
        if action.body is not None and request.body is None:
            raise ChangeRefused("a body that was not captured cannot be replaced")
        change.take(action)
        if action.route is not None or action.body is not None:
            body = request.body if action.body is None else action.body
            request = replace(request, body=body, route=action.route or request.route)

    for at in chain.slots:
        chain.asked += 1
        if at.out or not at.on_request:
            continue
        if change.overlay.touched:
            request = replace(request, headers=change.overlay.headers())
        seen = request
        action = chain.call(at, "on_request", at.filter.on_request, seen, apply)
        if isinstance(action, Asked):
            action = yield from _told(chain, chain.drive(action))
        if not isinstance(action, Continue):
            return (yield from _stop(chain, action, chain.slots[: chain.asked - 1]))
    return Passed(change, request)


def head_pass(chain: Chain, head: ResponseHead, change: Change) -> Steps[Passed | Stopped]:
    """Ask every stage about the head of the upstream's response, last to first."""

    def apply(at: Slot, action: Action) -> None:
        if isinstance(action, Continue):
            of_request = action.clear_route_cache or action.route or action.watch
            if action.body is not None or of_request:
                raise ChangeRefused("a response head takes header and metadata changes only")
            change.take(action)

    rest = closed_slots(chain.slots)
    while rest:
        at = rest.pop(0)
        if change.overlay.touched:
            head = replace(head, headers=change.overlay.headers())
        hook = at.filter.on_response_headers
        action = chain.call(at, "on_response_headers", hook, head, apply)
        if isinstance(action, Asked):
            action = yield from _told(chain, chain.drive(action))
        if not isinstance(action, Continue):
            return (yield from _stop(chain, action, rest[::-1]))
    return Passed(change)


def local_pass(chain: Chain, answer: Reject | Answer, slots: Sequence[Slot]) -> Steps[Stopped]:
    """Show an answer of ours to the stages of *slots*, last to first; they may change its head."""
    headers = yield from _local_head(
        chain, status_of(answer), Headers(head_of(answer).items()), slots
    )
    return Stopped(answer, headers.pairs)


def event_pass(chain: Chain, event: ResponseEvent) -> Steps[ResponseEvent | Reject | None]:
    """Ask every stage about a gated *event*; return it as it goes on, None if it is dropped.

    A stage may put several events in the place of one, which it held back: those behind it are
    asked about each of them.
    """
    return _through(chain, event, [at for at in reversed(chain.slots) if at.on_event])


def _through(
    chain: Chain, event: ResponseEvent, rest: Sequence[Slot]
) -> Steps[ResponseEvent | Reject | None]:
    before = event

    def apply(at: Slot, action: Action) -> None:
        nonlocal event
        body = _of_body(at, action, gated=True)
        if body is not None:
            event = ResponseEvent(body, body, event.event_stream)
        if isinstance(action, Continue) and action.meanwhile is not None:
            started_s = chain.clock()
            chain.beside.append(Asked(at, "meanwhile", None, _nothing, started_s, action.meanwhile))

    for number, at in enumerate(rest, 1):
        if at.out:
            continue
        hook = at.filter.on_response_event
        action = chain.call(at, "on_response_event", hook, event, apply)
        if isinstance(action, Asked):
            action = yield from chain.drive(action)
        if isinstance(action, Reject):
            return action
        if event is not before:
            return (yield from _each(chain, event, rest[number:])) if event.raw else None
    return event


def _nothing(at: Slot, action: Action) -> None:
    """Apply nothing: what goes on beside changes nothing any more."""


def _each(
    chain: Chain, event: ResponseEvent, rest: Sequence[Slot]
) -> Steps[ResponseEvent | Reject | None]:
    """Ask the stages of *rest* about each event in what a stage has made of one."""
    if not rest:
        return event
    gone: list[bytes] = []
    for one in events_in(event.raw) if event.event_stream else [event]:
        passed = yield from _through(chain, one, rest)
        if isinstance(passed, Reject):
            return passed
        if passed is not None:
            gone.append(passed.raw)
    raw = b"".join(gone)
    return ResponseEvent(raw, raw, event.event_stream) if raw else None


def idle_pass(chain: Chain, waited_s: float) -> Steps[ResponseEvent | Reject | None]:
    """Ask the stages that hold events back what may go on although nothing comes."""
    raw = b""

    def apply(at: Slot, action: Action) -> None:
        nonlocal raw
        raw = _of_body(at, action, gated=True) or b""

    gone: list[bytes] = []
    for at in reversed(chain.slots):
        if at.out or at.idle_s is None:
            continue
        raw = b""
        action = chain.call(at, "on_response_idle", at.filter.on_response_idle, waited_s, apply)
        if isinstance(action, Asked):
            action = yield from chain.drive(action)
        if isinstance(action, Reject):
            return action
        if raw:
            rest = [slot for slot in _behind(chain, at) if slot.on_event]
            passed = yield from _each(chain, ResponseEvent(raw, raw, True), rest)
            if isinstance(passed, Reject):
                return passed
            gone.append(passed.raw if passed is not None else b"")
    raw = b"".join(gone)
    return ResponseEvent(raw, raw, True) if raw else None


def observe(chain: Chain, event: ResponseEvent) -> Steps[None] | None:
    """Tell every observing stage of *event*; return what is left to do if a hook awaits."""
    rest = reversed(chain.slots)
    for at in rest:
        if at.on_event and not at.out:
            hook = at.filter.on_response_event
            action = chain.call(at, "on_response_event", hook, event, _observed)
            if isinstance(action, Asked):
                return _observe_on(chain, event, action, rest)
    return None


def _observe_on(
    chain: Chain, event: ResponseEvent, asked: Asked, rest: Iterator[Slot]
) -> Steps[None]:
    yield from chain.drive(asked)
    for at in rest:
        if at.out or not at.on_event:
            continue
        hook = at.filter.on_response_event
        action = chain.call(at, "on_response_event", hook, event, _observed)
        if isinstance(action, Asked):
            yield from chain.drive(action)


def _observed(at: Slot, action: Action) -> None:
    _of_body(at, action, gated=False)


def end_pass(chain: Chain, end: ResponseEnd, gated: bool) -> Steps[bytes | Reject]:
    """Tell every stage that the response is complete; return what they add to its end."""
    added = b""

    def apply(at: Slot, action: Action) -> None:
        nonlocal added
        added += _of_body(at, action, gated) or b""

    for at in reversed(chain.slots):
        if at.out or not at.on_end:
            continue
        before, added = added, b""
        action = chain.call(at, "on_response_end", at.filter.on_response_end, end, apply)
        if isinstance(action, Asked):
            action = yield from chain.drive(action)
        if gated and isinstance(action, Reject):
            return action
        if added:
            rest = [slot for slot in _behind(chain, at) if slot.on_event]
            passed = yield from _each(chain, ResponseEvent(added, added, end.event_stream), rest)
            if isinstance(passed, Reject):
                return passed
            added = passed.raw if passed is not None else b""
        added = before + added
    return added


def _behind(chain: Chain, at: Slot) -> list[Slot]:
    """Return the slots that see a response after *at*, in that order."""
    number = next(i for i, slot in enumerate(chain.slots) if slot is at)
    return list(reversed(chain.slots[:number]))


def _told(chain: Chain, steps: Steps[Action]) -> Steps[Action]:
    """Run *steps*; the head of a streamed answer passes the stages that ran before first."""
    reply: object = None
    try:
        ask = next(steps)
        while True:
            if isinstance(ask.effect, StartReply):
                headers = Headers(ask.effect.headers.items())
                slots = chain.slots[: max(0, chain.asked - 1)]
                final = yield from _local_head(chain, ask.effect.status, headers, slots)
                ask = Ask(ask.stage, StartReply(ask.effect.status, dict(final.pairs)), ask.due_s)
            try:
                reply = yield ask
            except GeneratorExit:
                steps.close()
                raise
            except Exception as fault:
                ask = steps.throw(fault)
            else:
                ask = steps.send(reply)
    except StopIteration as end:
        action: Action = end.value
        return action


def _stop(chain: Chain, action: Action, slots: Sequence[Slot]) -> Steps[Stopped]:
    if isinstance(action, EndReply):
        return Stopped(action, tuple(action.trailers.items()))
    assert not isinstance(action, Continue)
    if chain.streaming:
        return Stopped(action)
    return (yield from local_pass(chain, action, slots))


def _local_head(
    chain: Chain, status: int, headers: Headers, slots: Sequence[Slot]
) -> Generator[Ask, object, Headers]:
    change = Change(Overlay(headers))

    def apply(at: Slot, action: Action) -> None:
        if isinstance(action, Continue):
            change.take(replace(action, body=None, clear_route_cache=False))

    for at in closed_slots(slots):
        head = ResponseHead(status, change.overlay.headers(), local=True)
        hook = at.filter.on_response_headers
        asked = chain.call(at, "on_response_headers", hook, head, apply)
        if isinstance(asked, Asked):
            yield from chain.drive(asked)
    return change.overlay.headers()


def _of_body(at: Slot, action: Action, gated: bool) -> bytes | None:
    """Return what *action* makes of a piece of a response body; None leaves it alone.

    Raises:
        BadAction: only a gating stage may change or refuse it, and nobody may answer anew.
    """
    if isinstance(action, Continue):
        if action.body is None:
            return None
    elif not isinstance(action, Reject):
        raise BadAction("a response that has begun cannot be answered anew")
    if not gated or at.stage.needs.response is not ResponseNeed.GATE:
        raise BadAction("a stage that only observes the response cannot change or refuse it")
    return action.body if isinstance(action, Continue) else None
