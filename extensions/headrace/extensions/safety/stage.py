"""The safety stage: ask the guards of the policy, obey their verdicts, prove that it was done."""

from dataclasses import dataclass, field, replace

import msgspec

from headrace.dsl.program import RuleFault
from headrace.extensions.body_router.values import Facts, facts
from headrace.extensions.call import Call, CallFault, parse_call
from headrace.extensions.reasons import Reason
from headrace.extensions.records import RuleError
from headrace.extensions.safety.answers import Answers
from headrace.extensions.safety.beside import begun
from headrace.extensions.safety.contract import Context, Direction, Kind, Trouble
from headrace.extensions.safety.desk import Desk
from headrace.extensions.safety.express import is_express, may_mean_more, pass_by
from headrace.extensions.safety.inquest import Inquest
from headrace.extensions.safety.mask import Vault
from headrace.extensions.safety.post import Post
from headrace.extensions.safety.prompt import Prompt, screen
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
    ResponseEnd,
    ResponseEvent,
    ResponseHead,
    ResponseNeed,
)
from headrace.extensions.texts.doubled import is_doubled
from headrace.extensions.texts.values import Passage, Said, Unreadable

IDLE_S = 0.5  # how long text of a model that pauses waits for its window to be full
PASSTHROUGH = "passthrough"  # the reason in the proof
UNREAD = "what is asked at this path cannot be screened, and the policy does not let it pass so"
TWICE = "a name stands twice in one object of the body, so what it means is not certain"
CURE = "set `request_body_mode` of the ext_proc filter to FULL_DUPLEX_STREAMED"


class PromptScreen(Filter):
    """Screens requests. Keeps nothing of an exchange, so that one serves them all."""

    __slots__ = ("_conditional", "_desk", "_express")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._conditional = any(post.guard.when is not None for post in desk.posts)
        self._express = is_express(desk)

    def on_request(self, request: Request, now_s: float) -> Action | Asking:
        """Decide whether *request* may pass, and as what. What cannot be read does not."""
        call = request.call
        if self._express and isinstance(call, Call) and not self._is_doubled(request, call):
            passed = pass_by(self._desk, call)
            if passed is not None:
                return passed
        return self._decide(request, now_s)

    def _is_doubled(self, request: Request, call: Call) -> bool:
        """Return whether guards would judge one thing of *call*, and the server read another."""
        body = request.body
        if not self._desk.prompts or not body or call.api.grpc or call.token_ids:
            return False  # token ids are not judged, and take long to count
        return is_doubled(body, msgspec.json.decode(body))

    def _decide(self, request: Request, now_s: float) -> Action | Asking:
        desk = self._desk
        inquest = Inquest(desk.rule, Direction.PROMPT, desk.prompts)
        route = request.route
        if route is not None and route.unread:
            return self._unread(inquest, unscreened=route.unscreened)
        posts = self._applying(request, now_s, inquest)
        self._opened(request, posts)
        call = _call_of(request)
        if isinstance(call, Reject):
            return call
        if call is None:
            return Continue(records=inquest.close()) if desk.prompts else CONTINUE
        if self._is_doubled(request, call):
            return Reject(Reason.INVALID_REQUEST, TWICE)
        size = sum([len(text.text) for text in call.texts])
        if size > desk.text_chars_max:
            most = desk.text_chars_max
            message = f"the prompt has {size} characters; the gateway screens at most {most}"
            return Reject(Reason.BODY_TOO_LARGE, message)
        asked = [post for post in desk.prompts if post in posts]
        return begun(self._screen(request, call, asked, inquest, now_s))

    def _unread(self, inquest: Inquest, *, unscreened: bool) -> Action:
        """Let pass what nobody reads, if the policy says that it need not be screened."""
        if not unscreened:
            return Reject(Reason.SAFETY_BLOCKED, UNREAD)
        for post in self._desk.prompts:
            inquest.skip(post, PASSTHROUGH)
        self._passes_unread()
        return Continue(records=inquest.close()) if self._desk.prompts else CONTINUE

    def _passes_unread(self) -> None:
        """Note that nobody reads the answer either."""

    def _opened(self, request: Request, posts: tuple[Post, ...]) -> None:
        """Note which guards have to do with the exchange of *request*."""

    def _masked(self, vault: Vault) -> None:
        """Note what the placeholders in the prompt stand for."""

    async def _screen(
        self,
        request: Request,
        call: Call,
        posts: list[Post],
        inquest: Inquest,
        now_s: float,
    ) -> Action:
        context = Context(call.model, request.id, call.texts)
        passages = self._passages(request, call, posts, inquest)
        if isinstance(passages, Reject):
            return _with(passages, inquest)
        vault = Vault(passage.text for passage in passages) if self._desk.masked else None
        texts = await screen(Prompt(call, passages, context, now_s), posts, inquest, vault)
        if isinstance(texts, Reject):
            return _with(texts, inquest)
        if vault is not None:
            self._masked(vault)
        inquest.delivered = _bytes(texts.texts)
        patches = texts.patches()
        body = None
        if patches:
            assert request.body is not None, "what has passages has a body"
            body = self._desk.reads.spliced(request.body, patches)
        return Continue(body=body, records=inquest.close())

    def _passages(
        self, request: Request, call: Call, posts: list[Post], inquest: Inquest
    ) -> tuple[Passage, ...] | Reject:
        """Return the texts of *call*, with their places if a guard of the policy needs them."""
        by_place = self._desk.by_place or any(map(may_mean_more, call.texts))
        if not by_place or request.body is None:
            return tuple(Passage(t.role, Said.PROSE, t.text, (), whole=False) for t in call.texts)
        try:
            return self._desk.reads.request(call.api, request.body)
        except Unreadable as unreadable:
            for number, post in enumerate(posts, 1):
                reject = inquest.hear(post, Trouble(Kind.UNREADABLE, unreadable.detail))
                if reject is not None:
                    inquest.ended_before(posts[number:])
                    return reject
            return ()

    def _applying(self, request: Request, now_s: float, inquest: Inquest) -> tuple[Post, ...]:
        """Return the guards whose conditions hold. One whose condition fails has to do with it."""
        posts = self._desk.posts
        if not self._conditional:
            return posts
        values = facts(request)
        applying: list[Post] = []
        for post in posts:
            if _applies(post, values, now_s, inquest):
                applying.append(post)
            elif post.looks_at(Direction.PROMPT):
                inquest.skip(post, "condition")
        return tuple(applying)


class Screening(PromptScreen):
    """Screens one exchange, both ways. Written by that exchange only."""

    __slots__ = ("_answers",)
    idle_s = IDLE_S

    def __init__(self, desk: Desk, info: ExchangeInfo) -> None:
        super().__init__(desk)
        self._answers = Answers(desk, info.id)

    def on_request(self, request: Request, now_s: float) -> Action | Asking:
        """Decide on the prompt; see `PromptScreen`."""
        call = request.call
        quick = self._express and not self._conditional
        if quick and isinstance(call, Call) and not self._is_doubled(request, call):
            passed = pass_by(self._desk, call)
            if passed is not None:
                self._opened(request, self._desk.posts)
                return passed
        return self._decide(request, now_s)

    def _opened(self, request: Request, posts: tuple[Post, ...]) -> None:
        call = request.call
        self._answers.asked(call if isinstance(call, Call) else None, request.id, posts)

    def _passes_unread(self) -> None:
        self._answers.unread(PASSTHROUGH)

    def _masked(self, vault: Vault) -> None:
        self._answers.unmask(vault)

    def on_response_headers(self, head: ResponseHead, now_s: float) -> Action | Asking:
        """Note whether what follows is an answer of a model, or an error of a server."""
        self._answers.begin(head)
        return CONTINUE

    def on_response_event(self, event: ResponseEvent, now_s: float) -> Action | Asking:
        """Decide what of the answer may go on by now."""
        return self._answers.take(event, now_s)

    def on_response_idle(self, waited_s: float, now_s: float) -> Action | Asking:
        """Let the guards that wait for a window judge what there is of it."""
        return self._answers.idle(now_s)

    def on_response_end(self, end: ResponseEnd, now_s: float) -> Action | Asking:
        """Decide on what is left of the answer, and report."""
        return self._answers.finish(now_s)

    def cut(self, now_s: float) -> tuple[object, ...]:
        """Report what was done until the answer was cut off."""
        return self._answers.left()


@dataclass(frozen=True, slots=True)
class Safety:
    """The stage `safety`. Without guards no exchange has to do with it."""

    desk: Desk | None = field(repr=False)
    needs: Needs
    name: str = "safety"
    deadline_s: float = 1.0
    on_failure: OnFailure = OnFailure.CLOSED
    prompts: PromptScreen | None = field(default=None, repr=False)

    def open(self, info: ExchangeInfo) -> Filter | None:
        """Return a filter for the exchange: one serves all that have no response to screen."""
        if self.desk is None or self.prompts is not None:
            return self.prompts
        return Screening(self.desk, info)


def safety(desk: Desk) -> Safety:
    """Return the stage of the guards at *desk*."""
    if not desk.posts:
        return Safety(None, Needs())
    if desk.reads_answers:
        needs = Needs(request_body=True, response=ResponseNeed.GATE)
        return Safety(desk, needs, deadline_s=desk.deadline_s)
    needs = Needs(request_body=True)
    return Safety(desk, needs, deadline_s=desk.deadline_s, prompts=PromptScreen(desk))


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


def _applies(post: Post, values: Facts, now_s: float, inquest: Inquest) -> bool:
    """Return whether *post* has to do with this request. If its condition fails, it has."""
    when = post.guard.when
    if when is None:
        return True
    verdict = when.test(values, None, now_s)
    if isinstance(verdict, RuleFault):
        inquest.records.append(RuleError(f"guard {post.name}", verdict.kind))
        return True
    return verdict


def _with(reject: Reject, inquest: Inquest) -> Reject:
    """Return *reject* with the records of all that the guards said."""
    return replace(reject, records=inquest.close())


def _bytes(texts: list[str]) -> int:
    return sum([len(t) if t.isascii() else len(t.encode("utf-8", "surrogatepass")) for t in texts])
