"""What expressions see of a request, when the picker evaluates them."""

from collections.abc import Mapping, Sequence

from headrace.extensions.call import Call
from headrace.extensions.picker.prefix import PrefixIndex, block_hashes
from headrace.extensions.stage import Request, Route

NO_MATCH: Mapping[str, float] = {}


class PickValues:
    """`request.*` for one pick; satisfies `program.RequestValues`.

    Headers and prefix matches are worked out when first read: many policies never do.
    """

    __slots__ = ("_hashes", "_headers", "_index", "_prefix", "_request", "call", "route")

    def __init__(self, request: Request, route: Route, index: PrefixIndex) -> None:
        self.route = route
        self.call = request.call if isinstance(request.call, Call) else None
        self._request = request
        self._index = index
        self._hashes: Sequence[int] | None = None
        self._headers: Mapping[str, str] | None = None
        self._prefix: Mapping[str, float] | None = None

    @property
    def id(self) -> str:
        return self._request.id

    @property
    def model(self) -> str:
        """The model that the client asked for."""
        return self.call.model if self.call else self.route.model

    @property
    def adapter(self) -> str:
        return self.route.adapter

    @property
    def path(self) -> str:
        """The path without its query."""
        return self._request.path.partition("?")[0]

    @property
    def method(self) -> str:
        return self._request.method

    @property
    def priority(self) -> int:
        return self.route.priority

    @property
    def prompt_tokens(self) -> int:
        return self.call.prompt_tokens if self.call else 0

    @property
    def max_tokens(self) -> int:
        """The caller's bound; 0 if there is none."""
        return (self.call.max_tokens or 0) if self.call else 0

    @property
    def stream(self) -> bool:
        return self.call.stream if self.call else False

    @property
    def size(self) -> int:
        return len(self._request.body or b"")

    @property
    def headers(self) -> Mapping[str, str]:
        """The first value of each header."""
        if self._headers is None:
            self._headers = dict(reversed(self._request.headers.pairs))
        return self._headers

    @property
    def hashes(self) -> Sequence[int]:
        """The prompt's block hashes; empty if there is no readable prompt."""
        if self._hashes is None:
            if self.call:
                target = self.route.target or self.route.model
                self._hashes = block_hashes(self.call.texts, target, self.route.adapter)
            else:
                self._hashes = ()
        return self._hashes

    @property
    def prefix(self) -> Mapping[str, float]:
        """Endpoint address -> share of the prompt cached there; absent means 0."""
        if self._prefix is None:
            self._prefix = self._index.match(self.hashes)
        return self._prefix

    @property
    def prefix_was_read(self) -> bool:
        return self._prefix is not None
