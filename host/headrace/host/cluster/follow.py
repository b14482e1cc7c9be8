"""The rules by which a resource is followed: list, watch, and what to do when that fails. Pure.

A `Follower` says what to ask the API server next and is told what came. What it knows is
only ever replaced by a whole list, or changed by an event: no error empties it.
Source: Kubernetes, "Efficient detection of changes"; client-go, reflector.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Generic, TypeVar

from headrace.host.cluster.objects import (
    GONE,
    Bookmark,
    Deleted,
    Event,
    Fault,
    Object,
    Page,
    Put,
)
from headrace.host.cluster.resource import Resource

T = TypeVar("T")
PAGE_OBJECTS = 500
BACKOFF_S, BACKOFF_S_MAX = 0.2, 30.0
ABSENT_S_MAX = 5.0  # of a server that is not there: asking costs it nothing, and news may wait
RETRY_AFTER_S_MAX = 60.0  # whatever a server asks, we look again
MISSING_S = 10.0  # between two looks for a kind that is not installed
WATCH_S_MIN, WATCH_S_MAX = 240.0, 480.0  # how long one watch may last: a server's load is spread
SHORT_S = 1.0  # a watch that says nothing and ends sooner has failed
RESUMES_MAX = 3  # of one watch that fail in a row; then its version may be what is wrong
NOT_FOUND, UNAUTHORIZED = 404, 401


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. *after_s*: when, from now. *renew*: with credentials that are read anew."""

    path: str
    query: tuple[tuple[str, str], ...]
    watch: bool
    after_s: float = 0.0
    renew: bool = False


@dataclass(slots=True)
class Follower(Generic[T]):
    """Follows one resource. Mutable; one thread only.

    read     what is kept of an object
    chance   draws from 0..1
    items    what is kept, by name; the mapping is never changed, but replaced
    synced   whether a whole list has come
    missing  whether the API server does not know the kind
    dropped  objects that were not readable, or too many
    """

    resource: Resource
    read: Callable[[Object], T]
    chance: Callable[[], float]
    items: Mapping[str, T] = field(default_factory=lambda: MappingProxyType({}))
    version: str = ""
    synced: bool = False
    missing: bool = False
    dropped: int = 0
    failures: int = 0
    _token: str = ""
    _listed: dict[str, T] = field(default_factory=dict[str, T])
    _resumes: int = 0
    _fault: Fault | None = None

    def next(self) -> Ask:
        """Return what to ask now."""
        fault, after_s = self._fault, self._delay_s()
        renew = fault is not None and fault.status == UNAUTHORIZED
        query: tuple[tuple[str, str], ...] = (("limit", str(PAGE_OBJECTS)),)
        if self._token:
            query += (("continue", self._token),)
        if self.version:
            last_s = WATCH_S_MIN + (WATCH_S_MAX - WATCH_S_MIN) * self.chance()
            query = (
                ("watch", "true"),
                ("allowWatchBookmarks", "true"),
                ("resourceVersion", self.version),
                ("timeoutSeconds", str(int(last_s))),
            )
        asked = query + self.resource.selectors
        return Ask(self.resource.path, asked, bool(self.version), after_s, renew)

    def page(self, page: Page) -> None:
        """Take one page of a list; the last one replaces what is known."""
        self._fault = None
        self._resumes = 0
        self.missing = False
        self.dropped += page.flawed
        for one in page.objects:
            if len(self._listed) < self.resource.most:
                self._listed[one.metadata.name] = self.read(one)
            else:
                self.dropped += 1
        self._token = page.token
        if not page.token:
            self.items, self._listed = MappingProxyType(self._listed), {}
            self.version, self.synced = page.version, True

    def event(self, event: Event) -> None:
        """Take one event of a watch."""
        if isinstance(event, Fault):
            self.failed(event)
            return
        self._well()
        match event:
            case Put(one):
                self._put(one)
                self.version = one.metadata.resource_version
            case Deleted(one):
                self._drop(one)
                self.version = one.metadata.resource_version
            case Bookmark(version):
                self.version = version

    def opened(self) -> None:
        """Take the beginning of a watch: the server answers, though it may have nothing to tell.

        Whether the watch works is another matter: the failures in a row are counted on.
        """
        self._fault = None

    def ended(self, lasted_s: float) -> None:
        """Take the end of a watch that did not fail. One that is over at once has failed."""
        if lasted_s >= SHORT_S:
            self._well()
        elif not self._fault:
            self.failed(Fault(0, "the watch ended at once"))

    def failed(self, fault: Fault) -> None:
        """Take a failure: of a list, of a watch, or of what one of them sent."""
        self.failures += 1
        self._fault = fault
        self.missing = fault.status == NOT_FOUND
        self._resumes += bool(self.version)
        if fault.status in (GONE, NOT_FOUND) or self._resumes > RESUMES_MAX:
            self._begin_anew()

    def unreadable(self, message: str) -> None:
        """Take a line or a page that cannot be read: what follows it cannot be trusted."""
        self.failed(Fault(0, message))
        self._begin_anew()

    @property
    def fault(self) -> Fault | None:
        """What is wrong now; None if nothing is."""
        return self._fault

    def _well(self) -> None:
        """A watch works: what failed before is over."""
        self._fault, self.failures, self._resumes = None, 0, 0

    def _begin_anew(self) -> None:
        """List again. What is known stays until that has come."""
        self.version, self._token, self._listed, self._resumes = "", "", {}, 0

    def _put(self, one: Object) -> None:
        name, kept = one.metadata.name, self.read(one)
        if self.items.get(name) == kept:
            return
        if len(self.items) >= self.resource.most and name not in self.items:
            self.dropped += 1
            return
        self.items = MappingProxyType({**self.items, name: kept})

    def _drop(self, one: Object) -> None:
        gone = one.metadata.name
        if gone in self.items:
            self.items = MappingProxyType({n: t for n, t in self.items.items() if n != gone})

    def _delay_s(self) -> float:
        """Return how long to wait: longer with each failure, and never all at one moment."""
        fault = self._fault
        if fault is None:
            return 0.0
        if fault.status == NOT_FOUND:
            return MISSING_S * (0.5 + self.chance())
        most_s = min(ABSENT_S_MAX, BACKOFF_S_MAX) if fault.absent else BACKOFF_S_MAX
        backoff_s = min(most_s, BACKOFF_S * 2.0 ** min(30, self.failures - 1))
        asked_s = min(RETRY_AFTER_S_MAX, fault.retry_after_s)
        return max(backoff_s * (0.5 + 0.5 * self.chance()), asked_s)
