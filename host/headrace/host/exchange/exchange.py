"""One HTTP exchange as ext_proc shows it: parts in, replies out.

`Exchange` owns every rule of the protocol, so that no stage can break one: which part
may follow which, which reply is owed when, how header changes fold, what is bounded,
and that bytes are never lost silently. It does no I/O and reads no clock.
"""

from headrace.extensions.headers import EMPTY, Headers
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Outcome, Reject, Request
from headrace.host.exchange.chain import EffectRefused
from headrace.host.exchange.core import Core, new_core
from headrace.host.exchange.order import Order, ProtocolFault, Stand
from headrace.host.exchange.part import Chunk, Direction, Modes, Part
from headrace.host.exchange.plan import Plan
from headrace.host.exchange.reply import Cancel, Output
from headrace.host.exchange.request_side import RequestSide
from headrace.host.exchange.response_side import ResponseSide


class Exchange:
    """One exchange. Driven by one edge from one thread; every call returns what to send or do.

    Times are monotonic seconds of one clock and never go back.
    """

    def __init__(
        self, plan: Plan, modes: Modes, exchange_id: str, traceparent: str, now_s: float
    ) -> None:
        self._core: Core = new_core(plan, modes, exchange_id, traceparent, now_s)
        self._request = RequestSide(self._core, modes.request)
        self._response = ResponseSide(self._core, modes.response)
        self._request_order, self._response_order = Order(), Order()
        self._started_s = now_s
        self._outcome: Outcome | None = None

    @property
    def closed(self) -> bool:
        """Whether nothing is owed: the stream may end with OK and no byte is lost by it."""
        return self._core.silent or not (
            self._core.waiting or self._request.owes or self._response.owes
        )

    @property
    def decided(self) -> bool:
        """Whether the request has been decided on, by whatever road."""
        return self._core.decided_s is not None

    @property
    def hands_on(self) -> bool:
        """Whether another exchange of this process has the same request, and reports it."""
        return self._core.plan.hands_on

    @property
    def request(self) -> Request:
        """The request as far as it has been decided on."""
        return self._core.request

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None before `end`."""
        return self._outcome

    def receive(self, part: Part, now_s: float) -> list[Output]:
        """Take the next part that Envoy sent.

        A part that may not come now aborts the stream with INVALID_ARGUMENT.
        """
        core = self._core
        core.now_s = now_s
        if part.context is not None:
            core.learn(part.context)
        asks = part.direction is Direction.REQUEST
        try:
            fresh = (self._request_order if asks else self._response_order).advance(part)
        except ProtocolFault as fault:
            if not core.silent:
                core.abort("INVALID_ARGUMENT", str(fault))
            return self._take()
        unseen = core.silent or (core.chain.streaming and not asks)
        if fresh and not unseen:
            (self._request if asks else self._response).receive(part)
        elif fresh and isinstance(part, Chunk):
            self._count(part)
        outputs, core.outputs = core.outputs, []
        return outputs

    def resume(self, ticket: int, reply: object, now_s: float) -> list[Output]:
        """Take the *reply* of the effect with this *ticket*; a stale one is ignored."""
        self._core.now_s = now_s
        self._core.resume(ticket, reply)
        return self._take()

    def interrupt(self, ticket: int, reject: Reject, now_s: float) -> list[Output]:
        """End the exchange by *reject*, which the effect watched under *ticket* came to.

        A response that has begun is broken off; one that is over, or of which Envoy does not
        show the body, is left alone.
        """
        core = self._core
        core.now_s = now_s
        if ticket != core.watching:
            return []
        core.watching = 0
        if core.silent or core.local is not None or self._ended():
            return []
        if self._response.head is None or self._response.head_owed:
            core.reject(reject)
        else:
            core.reason, core.refusal = reject.reason, reject
            core.abort("UNAVAILABLE", reject.message)
        return self._take()

    def refuse(self, ticket: int, error: str, now_s: float) -> list[Output]:
        """Learn that the effect *ticket* could not be performed; *error* holds no user text."""
        self._core.now_s = now_s
        self._core.refuse(ticket, EffectRefused(error))
        return self._take()

    def deadline(self) -> float | None:
        """Return the time at which `expire` must be called, or None if nothing waits."""
        core = self._core
        if core.silent:
            return None
        reading = self._response.reading
        if reading is not None and reading.idle_s is not None:
            idle_s = reading.idle_due_s()
        else:
            idle_s = self._request.idle_due_s()
        if not core.waiting:
            return idle_s
        due_s = core.due_s()
        return due_s if idle_s is None or due_s is None else min(due_s, idle_s)

    def expire(self, now_s: float) -> list[Output]:
        """Act on every deadline that has come by *now_s*."""
        core = self._core
        core.now_s = now_s
        core.expire()
        idle_s = self._request.idle_due_s()
        if idle_s is not None and idle_s <= now_s and not core.silent:
            core.reject(Reject(Reason.BODY_TIMEOUT, "the rest of the body did not come, try again"))
        reading = self._response.reading
        quiet_s = None if reading is None else reading.idle_due_s()
        if reading is not None and quiet_s is not None and quiet_s <= now_s and not core.silent:
            reading.idle()
        return self._take()

    def end(self, termination: str, now_s: float) -> list[Output]:
        """Note that the stream is over and tell the filters; only Cancels are left to do.

        termination  what the edge saw: ``complete`` if Envoy closed the stream, ``client-gone``
                     if it was cancelled, ``processor-abort`` or ``bug``; an exchange whose
                     response has come to its end is complete whatever Envoy's way to say so
        """
        core = self._core
        core.now_s = now_s
        if self._outcome is None:
            try:
                self._finish(termination)
            finally:
                core.plan.ended(self)
        return self._take()

    def _finish(self, termination: str) -> None:
        core = self._core
        core.drop_waiting()
        core.outputs = [o for o in core.outputs if isinstance(o, Cancel)]
        if termination in ("complete", "client-gone"):
            termination = "complete" if self._ended() else "client-gone"
        core.chain.now_s = core.now_s
        reading = self._response.reading
        if reading is not None and not reading.ended:
            core.chain.cut()
        self._outcome = self._sum_up(termination)
        self._response.reading = None  # each knows the other: only a collection would free them
        core.chain.finish(self._outcome)

    def _ended(self) -> bool:
        over = (Stand.ENDED, Stand.CLOSED)
        if self._core.silent or self._response_order.stand in over:
            return True
        reading = self._response.reading
        if reading is not None and reading.over and not reading.busy:
            return True  # the client has all of it, and has hung up before the end of the body
        # Without a response body to watch, the head is the last that is seen of a response.
        return self._response.head is not None and self._core.modes.response == 0

    def _count(self, chunk: Chunk) -> None:
        if chunk.direction is Direction.REQUEST:
            self._request.body_bytes += len(chunk.data)
        else:
            self._response.body_bytes += len(chunk.data)

    def _take(self) -> list[Output]:
        outputs = self._core.outputs
        self._core.outputs = []
        return outputs

    def _sum_up(self, termination: str) -> Outcome:
        core, response = self._core, self._response
        reading = response.reading
        return Outcome(
            request=core.request,
            started_s=self._started_s,
            ended_s=core.now_s,
            status=core.status,
            termination=termination,
            reason=core.reason,
            decided_s=core.decided_s,
            response_head_s=response.head_s,
            first_event_s=reading.first_event_s if reading else None,
            last_event_s=reading.last_event_s if reading else None,
            event_count=reading.event_count if reading else 0,
            event_stream=response.event_stream,
            runs=tuple(core.chain.runs),
            traceparent=core.traceparent,
            request_bytes=self._request.body_bytes,
            response_bytes=response.body_bytes,
            policy=core.plan.policy,
            generation=core.plan.generation,
            program=core.plan.program,
            message=core.refusal.message if core.refusal else "",
            retry_after_s=core.refusal.retry_after_s if core.refusal else None,
            response_headers=self._told(),
            announced=core.announced,
        )

    def _told(self) -> Headers:
        """Return the headers of what the client got."""
        core, response = self._core, self._response
        if core.told:
            return Headers(core.told)
        if core.local is not None:
            return Headers(core.local.headers)
        return response.change.overlay.headers() if response.head is not None else EMPTY
