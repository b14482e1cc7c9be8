"""What expressions see of a request, when the picker evaluates them."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from headrace.dsl.cel.values import Timestamp
from headrace.dsl.program import HintValues, ModelValues, RequestValues
from headrace.dsl.values import BondValues
from headrace.extensions.body_router.values import instant
from headrace.extensions.call import Call
from headrace.extensions.hints import NO_HINTS, Hints, hints_of
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.prompt import NO_PROMPT, Prompt, prompt_of
from headrace.extensions.picker.ties import digests
from headrace.extensions.values import NO_BONDS, NO_MODEL, Bonds, Request, Route
from headrace.extensions.work import NO_WORK, Work

NO_MATCH: Mapping[str, float] = {}
NO_HEADERS: Mapping[str, str] = {}
EPOCH = Timestamp(0)


def unbound(session: str) -> Bonds:
    """Return that nothing ties *session* to an endpoint."""
    return NO_BONDS


class Seen(Struct, frozen=True):
    """A request's values as they were at one pick, without the request; see `RequestValues`.

    Of what is worked out when first read, only that is kept which the rules of the profile
    read. The default is a request of which nothing is known.
    """

    id: str = ""
    model: str = ""
    adapter: str = ""
    path: str = ""
    method: str = ""
    priority: int = 0
    prompt_tokens: int = 0
    max_tokens: int = 0
    stream: bool = False
    size: int = 0
    headers: Mapping[str, str] = NO_HEADERS
    prefix: Mapping[str, float] = NO_MATCH
    now: Timestamp = EPOCH
    asked: ModelValues = NO_MODEL
    hints: HintValues = NO_HINTS
    bonds: BondValues = NO_BONDS
    work: Any = NO_WORK  # as `RequestValues` has it: only a cost model looks into it

    @classmethod
    def of(cls, values: RequestValues, reads: frozenset[str]) -> "Seen":
        """Return what is to be kept of *values* for rules that read *reads*, of `SELDOM`."""
        return cls(
            values.id,
            values.model,
            values.adapter,
            values.path,
            values.method,
            values.priority,
            values.prompt_tokens,
            values.max_tokens,
            values.stream,
            values.size,
            values.headers if "headers" in reads else NO_HEADERS,
            values.prefix if "prefix" in reads else NO_MATCH,
            values.now if "now" in reads else EPOCH,
            values.asked if "asked" in reads else NO_MODEL,
            values.hints if "hints" in reads else NO_HINTS,
            values.bonds if "bonds" in reads else NO_BONDS,
            values.work if "work" in reads else NO_WORK,
        )


class PickValues:
    """`request.*` for one pick; satisfies `program.RequestValues`.

    model       the one that the client asked for
    path        without its query
    max_tokens  the caller's bound; 0 if there is none
    tpot_s      the time per token that its model promises; its own headers go before
    ties        session -> what ties it to endpoints

    Headers and prefix matches are worked out when first read: many policies never do.
    """

    __slots__ = (
        "_bonds", "_cut", "_headers", "_hints", "_index", "_prefix", "_prompt", "_request", "_work",
        "adapter", "asked", "call", "id", "max_tokens", "method", "model", "path", "priority",
        "prompt_tokens", "route", "size", "stream", "ties", "tpot_s",
    )  # fmt: skip

    def __init__(
        self,
        request: Request,
        route: Route,
        index: PrefixIndex,
        ties: "Callable[[str], Bonds]" = unbound,
    ) -> None:
        call = request.call if isinstance(request.call, Call) else None
        self.route = route
        self.call = call
        self.id = request.id
        self.model = route.model if call is None else call.model
        self.adapter = route.adapter
        self.asked = route.asked
        self.path = request.path.partition("?")[0]
        self.method = request.method
        self.priority = route.priority
        self.prompt_tokens = 0 if call is None else call.prompt_tokens
        self.max_tokens = 0 if call is None else call.max_tokens or 0
        self.stream = call is not None and call.stream
        self.size = len(request.body or b"")
        self.tpot_s: float | None = None
        self._request = request
        self._index = index
        self.ties = ties
        self._bonds: Bonds | None = None
        self._headers: Mapping[str, str] | None = None
        self._hints: Hints | None = None
        self._prefix: Mapping[str, float] | None = None
        self._prompt: Prompt | None = None
        self._cut = 0  # bytes in its blocks
        self._work: Work | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The first value of each header."""
        if self._headers is None:
            self._headers = dict(reversed(self._request.headers.pairs))
        return self._headers

    @property
    def hints(self) -> Hints:
        """What its headers ask for; its session is what its class says, if that says one."""
        if self._hints is None:
            found, session = hints_of(self._request.headers), self.route.session
            self._hints = found if session is None else replace(found, session=session)
        return self._hints

    @property
    def bonds(self) -> Bonds:
        """What ties its session to endpoints."""
        if self._bonds is None:
            self._bonds = self.ties(self.hints.session)
        return self._bonds

    @property
    def media(self) -> Sequence[int]:
        """The digests of its images, sounds and files."""
        return digests(self._request)

    def beside(self, labels: Mapping[str, str], zone: str) -> "PickValues":
        """Return these values for who is picked beside an endpoint with *labels* in *zone*."""
        found = copy(self)
        found._bonds = replace(self.bonds, peer_labels=labels, peer_zone=zone)
        return found

    @property
    def now(self) -> Timestamp:
        """The wall clock when the exchange began."""
        return instant(self._request.unix_s)

    @property
    def prompt(self) -> Prompt:
        """The prompt, hashed; `NO_PROMPT` if there is none that can be read."""
        if self._prompt is None:
            self._prompt = NO_PROMPT
            if self.call:
                target, self._cut = self.route.target or self.route.model, self._index.block_bytes
                self._prompt = prompt_of(
                    self.call, target, self.route.adapter, block_bytes=self._cut
                )
        return self._prompt

    @property
    def hashes(self) -> Sequence[int]:
        """The prompt's block hashes; empty if there is no readable prompt."""
        return self.prompt.hashes

    @property
    def prefix(self) -> Mapping[str, float]:
        """Endpoint address -> share of the prompt cached there; absent means 0."""
        if self._prefix is None:
            prompt = self.prompt
            self._prefix = self._index.match(prompt.hashes, prompt.turns)
        return self._prefix

    @property
    def work(self) -> Work:
        """What it would ask of an endpoint."""
        if self._work is None:
            tpot_s = self.hints.slo_tpot_s
            self._work = Work(
                self.prompt_tokens,
                self.max_tokens,
                self.stream,
                self.tpot_s if tpot_s is None else tpot_s,
                self.adapter,
                self.prefix,
            )
        return self._work

    def renew(self, index: PrefixIndex | None) -> None:
        """Forget what was known of caches and sessions: time has gone by.

        index  of its pool now; None if the pool is gone
        """
        if index is None:
            return
        if index.block_bytes != self._cut:
            self._prompt = None
        self._index, self._bonds, self._work = index, None, None
        if self._prefix is not None:
            self._prefix = index.match(self.prompt.hashes, self.prompt.turns)

    @property
    def prefix_was_read(self) -> bool:
        return self._prefix is not None
