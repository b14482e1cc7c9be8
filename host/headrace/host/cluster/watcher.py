"""One thread per resource: performs what its `Follower` asks, and shows what is known.

The library's sockets block. What a thread knows is an immutable value that replaces the one
before; the loop is woken once for however many came meanwhile, so nothing can pile up.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from headrace.host.cluster.api import Api, Failed, Lines
from headrace.host.cluster.follow import Ask, Follower
from headrace.host.cluster.objects import Fault, Object, Unreadable, read_line, read_page
from headrace.host.cluster.resource import Resource

T = TypeVar("T")
BUG_S = 5.0  # after a bug of ours, before the next attempt
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """What is known of a resource.

    items    by name
    synced   whether a whole list has come
    heard_s  when the API server last said anything of it, on the monotonic clock
    fault    why it says nothing now; None while it does
    missing  whether it does not know the kind
    dropped  objects left out so far: not readable, or beyond the bound
    """

    items: Mapping[str, T]
    synced: bool
    heard_s: float
    fault: Fault | None = None
    missing: bool = False
    dropped: int = 0


class Watcher(Generic[T]):
    """Follows one resource from `start` to `stop`.

    known   what is known now; replaced by the thread, read by anybody
    changed is called in the thread when that has changed
    ended   takes how a request ended, in a word; called in the thread
    """

    def __init__(
        self,
        resource: Resource,
        read: Callable[[Object], T],
        api: Api,
        changed: Callable[[], None],
        ended: Callable[[Resource, str], None],
    ) -> None:
        self.resource = resource
        self._api = api
        self._changed = changed
        self._ended = ended
        self._follower = Follower(resource, read, random.SystemRandom().random)
        self.known = Known(self._follower.items, synced=False, heard_s=monotonic())
        self._stopping = threading.Event()
        self._lines: Lines | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch {resource}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, which it does at once unless it waits for an answer."""
        self._stopping.set()
        lines = self._lines
        if lines is not None:
            lines.stop()

    def join(self, timeout_s: float) -> None:
        """Wait until the thread has ended; one that waits for an answer is left to itself."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                ask = self._follower.next()
                if self._stopping.wait(ask.after_s):
                    return
                self._ended(self.resource, self._perform(ask))
            except Exception:
                log.exception("bug: watching %s", self.resource)
                self._ended(self.resource, "bug")
                self._follower.unreadable("a bug of the host")
                self._stopping.wait(BUG_S)
            # That there is no such kind is an answer, too.
            self._show(heard=self._follower.missing)

    def _perform(self, ask: Ask) -> str:
        """Make one request, and return how it ended, in a word."""
        follower = self._follower
        try:
            if ask.renew:
                self._api.renew()
            if ask.watch:
                self._watch(ask)
            else:
                follower.page(read_page(self._api.get(ask.path, ask.query)))
                self._show(heard=True)
        except Failed as failed:
            if not self._stopping.is_set():
                follower.failed(failed.fault)
        except Unreadable as error:
            follower.unreadable(str(error))
        return "ok" if follower.fault is None else word(follower.fault)

    def _watch(self, ask: Ask) -> None:
        began_s = monotonic()
        with self._api.watch(ask.path, ask.query) as lines:
            self._lines = lines
            self._follower.opened()
            self._show(heard=True)
            try:
                if self._stopping.is_set():
                    return
                for batch in lines:
                    for line in batch:
                        self._follower.event(read_line(line))
                    self._show(heard=self._follower.fault is None)
                    if self._follower.fault is not None:
                        return
            finally:
                self._lines = None
        self._follower.ended(monotonic() - began_s)

    def _show(self, *, heard: bool) -> None:
        """Let others see what is known now, if it is not what they see already."""
        follower, old = self._follower, self.known
        heard_s = monotonic() if heard else old.heard_s
        self.known = Known(
            follower.items,
            follower.synced,
            heard_s,
            follower.fault,
            follower.missing,
            follower.dropped,
        )
        if (
            follower.items is not old.items
            or follower.synced is not old.synced
            or follower.missing is not old.missing
            or (follower.fault is None) is not (old.fault is None)
        ):
            self._changed()


def word(fault: Fault) -> str:
    """Return what *fault* is, of a closed list."""
    known = {401: "unauthorized", 403: "forbidden", 404: "missing", 410: "gone", 429: "throttled"}
    return known.get(fault.status, "error" if fault.status else "unreachable")
