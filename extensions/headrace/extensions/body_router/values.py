"""What expressions may know of a request, made from what the stages know of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from headrace.dsl.cel.values import Timestamp
from headrace.dsl.values import BondValues
from headrace.extensions.call import Call
from headrace.extensions.headers import EMPTY, Headers
from headrace.extensions.hints import Hints, hints_of
from headrace.extensions.values import NO_BONDS, NO_MODEL, ModelFacts, Request
from headrace.extensions.work import Work

NO_PREFIX: Mapping[str, float] = {}
NANOS = 1_000_000_000


class HeaderMap(Mapping[str, str]):
    """Headers as a mapping from lower-case name to first value, for `request.headers`."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        if name not in self._headers:
            raise KeyError(name)
        return self._headers.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self._headers))

    def __len__(self) -> int:
        return len({name for name, _ in self._headers})


NO_HEADERS = HeaderMap(EMPTY)


@dataclass(slots=True)
class Facts:
    """The values of `request.*`. Satisfies `RequestValues`.

    Written while it is built, by the stage that builds it for one hook of one exchange.

    model    the model that the client asked for
    path     without its query
    size     bytes of the body
    prefix   endpoint address -> share of the prompt cached there; the picker knows it
    unix_s   the wall clock when the exchange began
    asked    the policy's model; empty before it is known
    bonds    what ties it to endpoints; the picker knows it
    sent     the headers that the hints are read from
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
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS, repr=False)
    prefix: Mapping[str, float] = field(default_factory=lambda: NO_PREFIX, repr=False)
    unix_s: float = 0.0
    asked: ModelFacts = NO_MODEL
    bonds: BondValues = NO_BONDS
    sent: Headers = field(default=EMPTY, repr=False, compare=False)

    @property
    def hints(self) -> Hints:
        """What the headers ask for."""
        return hints_of(self.sent)

    @property
    def work(self) -> Work:
        """What it would ask of an endpoint."""
        return Work(
            self.prompt_tokens,
            self.max_tokens,
            self.stream,
            self.hints.slo_tpot_s,
            self.adapter,
            self.prefix,
        )

    @property
    def now(self) -> Timestamp:
        """When the exchange began."""
        return instant(self.unix_s)


def instant(unix_s: float) -> Timestamp:
    """Return the instant *unix_s*, as expressions see it."""
    return Timestamp(round(unix_s * NANOS))


def facts(request: Request, prefix: Mapping[str, float] = NO_PREFIX) -> Facts:
    """Return the values of *request*: of its call and route as far as it has them."""
    headers, call, route = request.headers, request.call, request.route
    values = Facts(
        id=request.id,
        path=headers.get(":path").partition("?")[0],
        method=headers.get(":method"),
        size=len(request.body or b""),
        headers=HeaderMap(headers),
        prefix=prefix,
        unix_s=request.unix_s,
        sent=headers,
    )
    if isinstance(call, Call):
        values.model = call.model
        values.prompt_tokens = call.prompt_tokens
        values.max_tokens = call.max_tokens or 0
        values.stream = call.stream
    if route is not None:
        values.adapter = route.adapter
        values.priority = route.priority
        values.asked = route.asked
    return values
