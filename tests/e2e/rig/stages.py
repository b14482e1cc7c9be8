"""Test stages by name, so that a request can say in `x-chain` what the host shall do with it.

A chain is stage texts joined by `+`, a stage text is `name` or `name?key=value&key=value`, e.g.
`slow?s=5&deadline=0.1&on_failure=open+add`. After `@` come limits of the exchange, e.g.
`read@body_bytes_max=1000`.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import get_type_hints
from urllib.parse import parse_qsl

from headrace.extensions.reasons import Reason
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Answer,
    Asking,
    Continue,
    Effect,
    EndReply,
    ExchangeInfo,
    Filter,
    Needs,
    OnFailure,
    Outcome,
    Reject,
    Request,
    ResponseEnd,
    ResponseEvent,
    ResponseHead,
    ResponseNeed,
    SendChunk,
    StartReply,
)
from headrace.host.exchange.limits import Limits

Settings = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sleep(Effect[None]):
    """Wait *s* seconds on the host's clock."""

    s: float


class Unknown(Effect[None]):
    """An effect that no host knows."""


@dataclass(frozen=True, slots=True)
class TestStage:
    """A stage made of one function from its settings and the exchange to a filter."""

    __test__ = False  # pytest: the name is for readers

    name: str
    settings: Settings
    make: Callable[[Settings, ExchangeInfo], Filter]
    needs: Needs = field(default_factory=Needs)

    @property
    def deadline_s(self) -> float:
        return float(self.settings.get("deadline", "10"))

    @property
    def on_failure(self) -> OnFailure:
        return OnFailure(self.settings.get("on_failure", "closed"))

    def open(self, info: ExchangeInfo) -> Filter | None:
        return self.make(self.settings, info)


@dataclass(slots=True)
class _Told(Filter):
    """A filter that does nothing: what the chain said of its stage, and of which exchange."""

    settings: Settings
    info: ExchangeInfo


class _Add(_Told):
    def on_request(self, request: Request, now_s: float) -> Action:
        return Continue(
            set_headers={"x-added": "request"},
            append_headers=(("x-many", "last"),),
            remove_headers=("x-remove-me",),
        )

    def on_response_headers(self, head: ResponseHead, now_s: float) -> Action:
        return Continue(set_headers={"x-added": f"response of {head.status} local={head.local}"})


class _Header(_Told):
    """Set the header `name` to `value`, of the response with `on=response`.

    `hex=1` decodes the value, `repeat` repeats it, `times` sets that many headers.
    """

    def on_request(self, request: Request, now_s: float) -> Action:
        return self._change() if self.settings.get("on", "request") == "request" else CONTINUE

    def on_response_headers(self, head: ResponseHead, now_s: float) -> Action:
        return self._change() if self.settings.get("on") == "response" else CONTINUE

    def _change(self) -> Action:
        value = self.settings.get("value", "")
        if "hex" in self.settings:
            value = bytes.fromhex(value).decode("utf-8", "surrogateescape")
        value *= int(self.settings.get("repeat", "1"))
        times = int(self.settings.get("times", "1"))
        name = self.settings["name"]
        if times > 1:
            return Continue(set_headers={f"{name}-{at}": value for at in range(times)})
        return Continue(set_headers={name: value})


class _Body(_Told):
    """Give the request body another size: `size` bytes of `x`."""

    def on_request(self, request: Request, now_s: float) -> Action:
        return Continue(body=b"x" * int(self.settings["size"]))


class _Gate(_Told):
    """Change every response event: `do` is `keep`, `upper`, `drop`, `double` or `reject`."""

    def on_response_event(self, event: ResponseEvent, now_s: float) -> Action:
        match self.settings.get("do", "upper"):
            case "keep":
                return CONTINUE
            case "drop":
                return Continue(body=b"")
            case "double":
                return Continue(body=event.raw * 2)
            case "reject":
                return Reject(Reason.SAFETY_BLOCKED, "no such words here")
            case _:
                return Continue(body=event.raw.upper())

    def on_response_end(self, end: ResponseEnd, now_s: float) -> Action:
        return (
            Continue(body=self.settings["tail"].encode()) if "tail" in self.settings else CONTINUE
        )


class _Route(_Told):
    """Send the request to the upstream `to`, by header and by metadata."""

    def on_request(self, request: Request, now_s: float) -> Action:
        to = self.settings["to"]
        return Continue(
            set_headers={"x-to": to},
            clear_route_cache=True,
            metadata={"envoy.lb": {"x-routed": to}, "not.allowed": {"x": "y"}},
        )

    def on_response_headers(self, head: ResponseHead, now_s: float) -> Action:
        spaces = ",".join(sorted(head.metadata))
        routed = head.metadata.get("envoy.lb", {}).get("x-routed", "")
        return Continue(set_headers={"x-metadata": f"{spaces}:{routed}"})


class _Tell(_Told):
    """Put what the stage saw of the request into request headers."""

    def on_request(self, request: Request, now_s: float) -> Action:
        peer = str(request.attributes.get("source.address", ""))
        return Continue(
            set_headers={
                "x-saw-method": request.method,
                "x-saw-path": request.path,
                "x-saw-attribute-path": str(request.attributes.get("request.path", "")),
                "x-saw-peer": peer.partition(":")[0],
                "x-saw-traceparent": self.info.traceparent,
                "x-saw-body": "none" if request.body is None else str(len(request.body)),
                "x-saw-call": type(request.call).__name__,
                "x-saw-cookies": str(len(request.headers.all("cookie"))),
            }
        )


class _Reject(_Told):
    def on_request(self, request: Request, now_s: float) -> Action:
        if self.settings.get("on", "request") != "request":
            return CONTINUE
        reason = Reason[self.settings.get("reason", "SHED")]
        return Reject(reason, "rejected by the rig", retry_after_s=2.0)

    def on_response_headers(self, head: ResponseHead, now_s: float) -> Action:
        if self.settings.get("on") != "response":
            return CONTINUE
        return Reject(Reason.SAFETY_BLOCKED, "response rejected by the rig")


class _Answer(_Told):
    def on_request(self, request: Request, now_s: float) -> Action:
        return Answer(int(self.settings.get("status", "200")), b'{"answer": 42}')


class _Slow(_Told):
    """Wait `s` seconds before the answer to the hook `hook`."""

    async def on_request(self, request: Request, now_s: float) -> Action:
        return await self._wait("request")

    async def on_response_headers(self, head: ResponseHead, now_s: float) -> Action:
        return await self._wait("response")

    def on_response_event(self, event: ResponseEvent, now_s: float) -> Action | Asking:
        return self._wait("event") if self.settings.get("hook") == "event" else CONTINUE

    async def _wait(self, hook: str) -> Action:
        if self.settings.get("hook", "request") == hook:
            await Sleep(float(self.settings["s"]))
        return CONTINUE

    def fallback(self, request: Request, now_s: float) -> Action:
        return Continue(set_headers={"x-fallback": "yes"})


class _Raise(_Told):
    """Raise in the hook `hook`, after having changed something if `late=1`."""

    def on_request(self, request: Request, now_s: float) -> Action | Asking:
        if self.settings.get("hook") == "effect":
            return self._refused()
        return self._act("request")

    def on_response_headers(self, head: ResponseHead, now_s: float) -> Action:
        return self._act("response")

    def on_response_event(self, event: ResponseEvent, now_s: float) -> Action:
        return self._act("event")

    def on_response_end(self, end: ResponseEnd, now_s: float) -> Action:
        return self._act("end")

    def on_end(self, outcome: Outcome, now_s: float) -> None:
        self._act("outcome")

    def fallback(self, request: Request, now_s: float) -> Action:
        return Continue(set_headers={"x-fallback": "yes"})

    def _act(self, hook: str) -> Action:
        if self.settings.get("hook") == hook:
            raise RuntimeError(f"raised by the rig in {hook}")
        return CONTINUE

    async def _refused(self) -> Action:
        await Unknown()
        return CONTINUE


class _Half(_Told):
    """Ask for one good change and one that is refused: neither may be seen."""

    def on_request(self, request: Request, now_s: float) -> Action:
        return Continue(set_headers={"x-half": "done", "x-bad": "a\r\nx-smuggled: yes"})


class _Block(_Told):
    """Block the host's loop for `s` seconds, as a stage never should."""

    def on_request(self, request: Request, now_s: float) -> Action:
        time.sleep(float(self.settings["s"]))
        return CONTINUE


class _Stream(_Told):
    """Answer `chunks` chunks of a stream, `gap` seconds apart, then trailers."""

    async def on_request(self, request: Request, now_s: float) -> Action:
        await StartReply(200, {"content-type": "text/event-stream"})
        for number in range(int(self.settings.get("chunks", "3"))):
            await SendChunk(b"data: %d\n\n" % number)
            await Sleep(float(self.settings.get("gap", "0")))
        return EndReply({"x-end": "yes"} if "trailers" in self.settings else {})


_NOTHING = Needs()
_READ = Needs(request_body=True)
_GATE = Needs(response=ResponseNeed.GATE)
_OBSERVE = Needs(response=ResponseNeed.OBSERVE)
_CONTEXT = Needs(
    request_body=True,
    attributes=frozenset(("request.path", "source.address")),
    forwarding=frozenset(("envoy.lb",)),
    receiving=frozenset(("envoy.lb",)),
)
_KNOWN: Mapping[str, tuple[Callable[[Settings, ExchangeInfo], Filter], Needs]] = {
    "pass": (_Told, _NOTHING),
    "read": (_Told, _READ),
    "observe": (_Told, _OBSERVE),
    "add": (_Add, _NOTHING),
    "header": (_Header, _NOTHING),
    "body": (_Body, _READ),
    "gate": (_Gate, _GATE),
    "route": (_Route, _CONTEXT),
    "tell": (_Tell, _CONTEXT),
    "reject": (_Reject, _NOTHING),
    "answer": (_Answer, _NOTHING),
    "slow": (_Slow, _NOTHING),
    "raise": (_Raise, _NOTHING),
    "half": (_Half, _NOTHING),
    "block": (_Block, _NOTHING),
    "stream": (_Stream, _NOTHING),
}
_NEEDS: Mapping[str, Needs] = {
    "body": _READ,
    "observe": _OBSERVE,
    "gate": _GATE,
}


def parse(chain: str) -> tuple[tuple[TestStage, ...], Limits]:
    """Return the stages and the limits that *chain* names.

    Raises:
        KeyError: there is no such stage or limit.
    """
    texts, _, limits = chain.partition("@")
    stages = tuple(_stage(text) for text in texts.split("+") if text not in ("", "-", "default"))
    return stages, _limits(dict(parse_qsl(limits)))


def _stage(text: str) -> TestStage:
    name, _, query = text.partition("?")
    settings = dict(parse_qsl(query))
    make, needs = _KNOWN[name]
    return TestStage(
        name, settings, make, _NEEDS[settings["needs"]] if "needs" in settings else needs
    )


def _limits(settings: Settings) -> Limits:
    hints = get_type_hints(Limits)
    changes = {name: hints[name](text) for name, text in settings.items()}
    return replace(Limits(message_timeout_s=30.0), **changes)
