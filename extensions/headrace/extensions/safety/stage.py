"""The safety stage: ask the guards of the policy, obey their verdicts."""

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from headrace.dsl.program import Guard, OnMatch, RuleFault
from headrace.extensions.body_router.values import Facts, facts
from headrace.extensions.call import Call, CallFault, parse_call
from headrace.extensions.reasons import Reason
from headrace.extensions.records import RuleError, Verdict
from headrace.extensions.safety.screen import Finding, Provider
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Asking,
    Continue,
    ExchangeInfo,
    Filter,
    Needs,
    OnFailure,
    Reject,
    Request,
)

NEEDS = Needs(request_body=True)
# RE2 takes some nanoseconds a character, and nothing else runs meanwhile: this takes some 10 ms.
TEXT_CHARS_MAX = 4 << 20
CURE = "set `request_body_mode` of the ext_proc filter to FULL_DUPLEX_STREAMED"


@dataclass(frozen=True, slots=True)
class Post:
    """A guard and who screens for it."""

    guard: Guard
    provider: Provider


class Screener(Filter):
    """Screens one request. Keeps nothing of an exchange, so that one serves them all."""

    __slots__ = ("_has_conditions", "_posts", "_text_chars_max")

    def __init__(self, posts: tuple[Post, ...], text_chars_max: int = TEXT_CHARS_MAX) -> None:
        self._posts = posts
        self._has_conditions = any(post.guard.when is not None for post in posts)
        self._text_chars_max = text_chars_max

    def on_request(self, request: Request, now_s: float) -> Action | Asking:
        """Decide whether *request* may pass. What cannot be read does not."""
        call = _call_of(request)
        if call is None:
            return CONTINUE
        if isinstance(call, Reject):
            return call
        size = sum([len(text.text) for text in call.texts])
        if size > self._text_chars_max:
            most = self._text_chars_max
            message = f"the prompt has {size} characters; the gateway screens at most {most}"
            return Reject(Reason.BODY_TOO_LARGE, message)
        values = facts(request) if self._has_conditions else None
        return self._screen(call, values, now_s)

    def _screen(self, call: Call, values: Facts | None, now_s: float) -> Action | Asking:
        records: list[object] = []
        for index, post in enumerate(self._posts):
            if not _applies(post.guard, values, now_s, records):
                continue
            screening = post.provider.screen(call)
            if isinstance(screening, Coroutine):
                return self._ask(index, screening, call, values, now_s, records)
            reject = _judge(post.guard, screening, records)
            if reject is not None:
                return reject
        return Continue(records=tuple(records)) if records else CONTINUE

    async def _ask(
        self,
        index: int,
        screening: Coroutine[Any, Any, Finding | None],  # Any: see `Screening`
        call: Call,
        values: Facts | None,
        now_s: float,
        records: list[object],
    ) -> Action:
        """Go on as `_screen` does, from the first provider that must ask the world."""
        reject = _judge(self._posts[index].guard, await screening, records)
        for post in self._posts[index + 1 :]:
            if reject is not None:
                break
            if _applies(post.guard, values, now_s, records):
                answer = post.provider.screen(call)
                found = await answer if isinstance(answer, Coroutine) else answer
                reject = _judge(post.guard, found, records)
        return reject or Continue(records=tuple(records))


@dataclass(frozen=True, slots=True)
class Safety:
    """The stage `safety`. Without guards no exchange has to do with it."""

    screener: Screener | None = field(repr=False)
    name: str = "safety"
    needs: Needs = NEEDS
    deadline_s: float = 1.0
    on_failure: OnFailure = OnFailure.CLOSED

    def open(self, info: ExchangeInfo) -> Filter | None:
        """Return the one filter that serves all exchanges, None without guards."""
        return self.screener


def _call_of(request: Request) -> Call | Reject | None:
    """Return the call to screen; None if there is no body, so nothing that asks a model."""
    call = request.call
    if isinstance(call, Call):
        return call
    if request.body is None:
        if request.method in ("GET", "HEAD"):
            return None
        message = f"the request body did not reach the guards; {CURE}"
        return Reject(Reason.BODY_UNAVAILABLE, message)
    if call is None:
        if not request.body:
            return None
        call = parse_call(request.path, request.headers.get("content-type"), request.body)
    match call:
        case Call():
            return call
        case CallFault(reason, message, param):
            return Reject(reason, message, param=param)


def _applies(guard: Guard, values: Facts | None, now_s: float, records: list[object]) -> bool:
    """Return whether *guard* screens this request. If its condition fails, it does."""
    if guard.when is None:
        return True
    assert values is not None, "some guard has a condition, so there are values"
    verdict = guard.when.test(values, None, now_s)
    if isinstance(verdict, RuleFault):
        records.append(RuleError(f"guard {guard.name}", verdict.kind))
        return True
    return verdict


def _judge(guard: Guard, finding: Finding | None, records: list[object]) -> Reject | None:
    """Record what was found, and return the Reject if *guard* blocks it."""
    if finding is None:
        return None
    records.append(Verdict(guard.name, finding.what, guard.on_match.value))
    if guard.on_match is OnMatch.LOG:
        return None
    message = guard.message
    if finding.what == "token-ids":
        message = f"{message}: a prompt of token ids cannot be screened; send text"
    return Reject(Reason.SAFETY_BLOCKED, message, guard.status, records=tuple(records))
