"""Writes to a cluster what we think of its objects: their statuses, and Events about them.

One thread, one object at a time, so many a second at most, the latest word on each, and only
what is not said there already. What is written holds for the version that was read: where
somebody was faster, it is read and judged again.

A replica writes when its own opinion changes, never because another's is there. Two that
disagree so end at the last word of either, and do not write in turn.
"""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Condition as Lock
from threading import Thread
from typing import Any

import msgspec

from headrace.host.cluster.api import Api, Failed
from headrace.host.cluster.condition import Wanted, patch_of
from headrace.host.cluster.notice import Notice, event_of
from headrace.host.cluster.objects import Fault
from headrace.host.cluster.resource import Resource

SPACE_S = 0.1  # between two objects
WANTED_MAX = 4096  # objects whose status is kept in mind
NOTICES_MAX = 256  # that wait; more are dropped, the newest first
TOLD_MAX = 4096  # notices that are known to be told
CONFLICTS_MAX = 5  # in a row, of one object
BACKOFF_S, BACKOFF_S_MAX = 1.0, 60.0
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, THROTTLED = 401, 403, 404, 409, 429
SERVER_ERROR = 500
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Writing:
    """What a writer is told from outside. Both are called in its thread.

    allowed  whether this replica is the one that writes
    ended    takes of what resource something was written, and how that ended, in a word
    """

    allowed: Callable[[], bool]
    ended: Callable[[str, str], None]


class StatusWriter:
    """Writes from `start` to `stop`. The methods may be called from any thread."""

    def __init__(self, api: Api, writing: Writing) -> None:
        self._api = api
        self._writing = writing
        self._lock = Lock()
        self._wanted: dict[Resource, Wanted] = {}
        self._due: dict[Resource, None] = {}
        self._notices: dict[Notice, None] = {}
        self._told: dict[Notice, None] = {}
        self._refused: set[tuple[str, int]] = set()
        self._failures = 0
        self._stopping = False
        self._thread = Thread(target=self._run, name="write statuses", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = 0.0) -> None:
        """Write no more; wait so long for what is under way."""
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
        if timeout_s and self._thread.is_alive():
            self._thread.join(timeout_s)

    def want(self, wanted: Wanted) -> bool:
        """Have the status of an object say what is *wanted*; return whether there is room.

        The same again is not written again.
        """
        with self._lock:
            if self._wanted.get(wanted.object) == wanted:
                return True
            if len(self._wanted) >= WANTED_MAX and wanted.object not in self._wanted:
                return False
            self._wanted[wanted.object] = wanted
            self._due[wanted.object] = None
            self._lock.notify_all()
        return True

    def forget(self, about: Resource) -> None:
        """Want nothing of an object any more; what it says stays."""
        with self._lock:
            self._wanted.pop(about, None)
            self._due.pop(about, None)

    def tell(self, notice: Notice) -> bool:
        """Have an Event written, unless the same was; return whether there is room."""
        with self._lock:
            if notice in self._told or notice in self._notices:
                return True
            if len(self._notices) >= NOTICES_MAX:
                return False
            self._notices[notice] = None
            self._lock.notify_all()
        return True

    def again(self) -> None:
        """Look at every object again: this replica writes from now on."""
        with self._lock:
            self._due |= dict.fromkeys(self._wanted)
            self._lock.notify_all()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                pause_s = self._perform(job)
            except Exception:
                log.exception("bug: writing of `%s`", job.object)
                pause_s = BACKOFF_S
            with self._lock:
                self._lock.wait_for(lambda: self._stopping, pause_s)

    def _next(self) -> Wanted | Notice | None:
        """Wait for something to write, and return it; None: there is an end."""
        with self._lock:
            self._lock.wait_for(lambda: self._stopping or self._due or self._notices)
            if self._stopping:
                return None
            if self._due:
                about = next(iter(self._due))
                del self._due[about]
                return self._wanted[about]
            notice = next(iter(self._notices))
            del self._notices[notice]
            return notice

    def _perform(self, job: Wanted | Notice) -> float:
        """Write one thing; return how long to leave the server alone then, in seconds."""
        if not self._writing.allowed():
            return 0.0
        try:
            result = self._patch(job) if isinstance(job, Wanted) else self._post(job)
        except Failed as failed:
            return self._failed(job, failed.fault)
        self._failures = 0
        self._writing.ended(job.object.plural, result)
        return SPACE_S

    def _patch(self, wanted: Wanted) -> str:
        path = f"{wanted.object.path}/{wanted.object.name}/status"
        for _ in range(CONFLICTS_MAX):
            octets = self._asked(lambda: self._api.get(path, ()))
            patch = patch_of(msgspec.json.decode(octets, type=dict[str, Any]), wanted, _now())
            if patch is None:
                return "same"
            changed = msgspec.json.encode(patch)
            try:
                self._asked(lambda: self._api.patch(path, changed))  # noqa: B023 - called at once
            except Failed as failed:
                if failed.fault.status != CONFLICT:
                    raise
            else:
                return "written"
        raise Failed(Fault(CONFLICT, "somebody else writes it all the time"))

    def _post(self, notice: Notice) -> str:
        self._note(notice)
        about = notice.object
        path = Resource("", "v1", "events", about.namespace).path
        octets = msgspec.json.encode(event_of(notice, _now()))
        try:
            self._asked(lambda: self._api.post(path, octets))
        except Failed as failed:
            if failed.fault.status != CONFLICT:
                raise
            return "same"  # another replica has told it
        return "written"

    def _asked(self, request: Callable[[], bytes]) -> bytes:
        """Return what *request* comes to, with new credentials if those at hand are refused."""
        try:
            return request()
        except Failed as failed:
            if failed.fault.status != UNAUTHORIZED:
                raise
        self._api.renew()
        return request()

    def _failed(self, job: Wanted | Notice, fault: Fault) -> float:
        self._writing.ended(job.object.plural, _word(fault))
        if fault.status in (0, CONFLICT, THROTTLED) or fault.status >= SERVER_ERROR:
            self._put_back(job)
            self._failures += 1
            backoff_s = min(BACKOFF_S_MAX, BACKOFF_S * 2.0 ** min(10, self._failures - 1))
            chance = random.SystemRandom().random()
            return max(min(BACKOFF_S_MAX, fault.retry_after_s), backoff_s * (0.5 + 0.5 * chance))
        what = "status of `%s`" if isinstance(job, Wanted) else "an event about `%s`"
        about = (f"{what[:2]} {job.object.plural}", fault.status)
        # An object that is gone needs no word; nothing else is told more than once a kind.
        if fault.status != NOT_FOUND and about not in self._refused:
            self._refused.add(about)
            cure = "; see `examples/kubernetes/rbac.yaml`" if fault.status == FORBIDDEN else ""
            text = f"cluster: cannot write the {what}: %s%s"
            log.warning(text, job.object, fault.message, cure)
        return SPACE_S

    def _put_back(self, job: Wanted | Notice) -> None:
        with self._lock:
            if isinstance(job, Notice):
                self._told.pop(job, None)
                if len(self._notices) < NOTICES_MAX:
                    self._notices[job] = None
            elif job.object in self._wanted:
                self._due[job.object] = None

    def _note(self, notice: Notice) -> None:
        with self._lock:
            if len(self._told) >= TOLD_MAX:
                self._told.clear()
            self._told[notice] = None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _word(fault: Fault) -> str:
    known = {UNAUTHORIZED: "unauthorized", FORBIDDEN: "forbidden", NOT_FOUND: "missing"}
    known |= {CONFLICT: "conflict", THROTTLED: "throttled"}
    return known.get(fault.status, "error" if fault.status else "unreachable")
