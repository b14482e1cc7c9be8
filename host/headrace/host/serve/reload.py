"""Follows the files of a policy: a changed one is compiled, tried and put in place.

A bad file never replaces a good policy; it is told on `/policy`, in the log and as a metric.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from time import time

from headrace.dsl.program import Program
from headrace.host.generation import Generation
from headrace.host.serve.envoy_drift import envoy_drift
from headrace.host.serve.files import Look, look
from headrace.host.serve.history import History, Reign
from headrace.host.serve.lines import Lines
from headrace.host.serve.load import VACANT, Loaded, Reloading
from headrace.host.serve.pace import brief_turns
from headrace.host.serve.succession import Succession, Unservable
from headrace.host.serve.texts import Judged, Stand, Taken, of_files
from headrace.host.telemetry.metrics import Metrics

PROBLEMS_MAX = 120  # a compiler's hundred and a few of ours

NEVER = Look({"": "nothing looks so"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The last attempt that failed. *at_s* is in Unix seconds."""

    at_s: float
    problems: Sequence[str]


class Reloader:
    """Keeps the policy that serves and the files of it in step. Event loop's thread only.

    Runs from entering to leaving its ``async with``. One attempt at a time: a newer one ends
    the older one before it has swapped.

    lives  is set once a policy serves that was not there at the start
    """

    def __init__(self, succession: Succession, reloading: Reloading, metrics: Metrics) -> None:
        self.succession = succession
        self.reloading = reloading
        self.history = History()
        self.phase = ""
        self.refusal: Refusal | None = None
        self.envoy_notes: Sequence[str] = ()
        self.lives = asyncio.Event()
        self.reign = Reign(succession.generation.program, 1, tuple(reloading.read), time())
        self._first = succession.generation
        self._metrics = metrics
        self._beside = tuple(reloading.read)
        # What the last attempt was made of: the same is not tried again.
        self._tried = NEVER if self.vacant else Look(reloading.read)
        self._asked = asyncio.Event()
        self._changing = asyncio.Lock()
        self._compiling = Lock()
        self._lines = Lines()
        self._taken = of_files()
        self._attempt: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        metrics.policy(self._first.number, valid=not self.vacant)

    async def __aenter__(self) -> "Reloader":
        if self.reloading.paths or self.reloading.texts is not None:
            self._watching = asyncio.create_task(self._watch(), name="policy files")
        return self

    async def __aexit__(self, *_: object) -> None:
        await _ended(self._watching)
        await self._give_up_attempt()
        await self.succession.close()

    @property
    def vacant(self) -> bool:
        """Whether there is no policy yet."""
        return self.reign.program is VACANT

    def ask(self) -> None:
        """Read the files at once: what SIGHUP does."""
        if self._watching is None:
            log.warning("policy: it came from standard input and cannot be read again")
        self._asked.set()

    async def rollback(self, digest: str) -> Reign:
        """Let an earlier policy serve again, and leave the files alone until they change.

        digest  the beginning of its digest; empty for the one before

        Raises:
            UnknownPolicy: it is not kept.
            Unservable: it cannot serve; the one that serves goes on.
        """
        wanted = self.history.find(digest)
        await self._give_up_attempt()
        self._tried = await asyncio.to_thread(self._look)
        await self._take_over(wanted.program, wanted.sources, 0.0, "rolled-back")
        self._tell(Stand.LEFT)
        return self.reign

    def _look(self) -> Look:
        texts = self.reloading.texts
        if texts is None:
            return look(self.reloading.paths, self._beside)
        files = [name for name in self._beside if not texts.owns(name)]
        found = look(self.reloading.paths, files).found
        return Look({**found, **texts.take().stamp})

    async def _watch(self) -> None:
        interval_s = self.reloading.interval_s or None
        last = self._tried
        while True:
            asked = await self._next(interval_s)
            try:
                if self.reloading.texts is not None and self.reloading.texts.pending():
                    continue  # a part of what there is would be another policy
                now = await asyncio.to_thread(self._look)
                # A file that is being written, or swapped, looks different the next time.
                if asked or (now != self._tried and now == last):
                    await self._give_up_attempt()
                    self._tried = now
                    self._attempt = asyncio.create_task(self._try(now, asked), name="reload")
                last = now
            except Exception:
                log.exception("bug: watching the policy's files")
                self._metrics.bug("reload")

    async def _next(self, interval_s: float | None) -> bool:
        """Wait for the next look; return whether somebody asked for it."""
        try:
            # Not `wait_for`: it forgets that it was cancelled if somebody asks at that moment.
            async with asyncio.timeout(interval_s):
                await self._asked.wait()
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    async def _try(self, seen: Look, asked: bool) -> None:
        """Make one attempt to let what was *seen* serve."""
        try:
            self.phase = "compiling"
            taken, loaded = await asyncio.to_thread(self._load)
            if await self._torn(seen, taken, loaded):
                self._tried = NEVER  # it changed under our hands: look again
                if not asked:
                    return
            self._taken = taken
            if loaded.program is None:
                self._refuse(loaded.problems)
                self._tell(Stand.REFUSED, loaded)
                return
            if loaded.program.digest == self.reign.program.digest:
                self._unchanged()
                self._tell(Stand.LIVE)
                return
            self._tell(Stand.WAITING)
            soak_s = 0.0 if self.vacant else self.reloading.soak_s
            await self._take_over(loaded.program, tuple(loaded.read), soak_s, "swapped")
            self._tell(Stand.LIVE)
        except Unservable as error:
            problems = [f"error: {error}"]
            self._refuse(problems)
            self._tell(Stand.UNSERVABLE, Loaded(None, problems))
            if self.vacant:
                self._tried = NEVER  # nothing goes on: it is tried until it can
        except asyncio.CancelledError:
            self._metrics.reload("superseded")
            raise
        except Exception as error:
            log.exception("bug: reload")
            self._metrics.bug("reload")
            self._refuse([f"error: a bug of the host: {type(error).__name__}"])
        finally:
            self.phase = ""

    def _load(self) -> tuple[Taken, Loaded]:
        texts = self.reloading.texts
        with self._compiling, brief_turns():
            taken = of_files() if texts is None else texts.take()
            if taken.problems:
                return taken, Loaded(None, taken.problems)
            return taken, self._lines.around(partial(self.reloading.load, taken.sources))

    def _tell(self, stand: Stand, loaded: Loaded | None = None) -> None:
        """Tell whoever has texts that are no files what became of them."""
        problems, found = (loaded.problems, loaded.found) if loaded else ((), ())
        self._taken.tell(Judged(stand, self.reign.program.digest, problems, found))

    async def _torn(self, seen: Look, taken: Taken, loaded: Loaded) -> bool:
        """Return whether files or texts are no longer what was *seen*, *taken* and compiled.

        From here on the files that were compiled are watched too: imports are known only now.
        """
        self._beside = tuple({*self.reign.sources, *loaded.read})
        now = self._tried = await asyncio.to_thread(self._look)
        texts, read = self.reloading.texts, {**seen.found, **loaded.read}
        files = {n: sha for n, sha in read.items() if texts is None or not texts.owns(n)}
        expected = {**files, **taken.stamp}
        changed = any(expected.get(name) != sha for name, sha in now.found.items())
        return changed or any(name not in now.found for name in taken.stamp)

    async def _take_over(
        self, program: Program, sources: Sequence[str], soak_s: float, result: str
    ) -> None:
        async with self._changing:
            self.phase = "soaking" if soak_s else "warming"
            try:
                await self.succession.take_over(
                    program, soak_s, lambda made: self._took_over(made, sources, result)
                )
            finally:
                self.phase = ""

    def _took_over(self, made: Generation, sources: Sequence[str], result: str) -> None:
        at_s, digest = time(), made.program.digest
        if self.vacant:
            self._first = made
        else:
            self.history.kept.append(replace(self.reign, until_s=at_s))
        self.reign = Reign(made.program, made.number, sources, at_s)
        self.lives.set()
        self.refusal = None
        self._metrics.policy(made.number, valid=True)
        self._metrics.reload(result)
        log.info("policy: %s to %s, generation %d", result, digest[:12], made.number)
        self.envoy_notes = envoy_drift(self._first, made)
        for note in self.envoy_notes:
            log.warning("policy: Envoy's configuration is of an older policy: %s", note)

    def _unchanged(self) -> None:
        """The files are again what serves: what was wrong with them is over."""
        self.refusal = None
        self._metrics.policy(self.reign.number, valid=True)
        log.info("policy: unchanged, %s", self.reign.program.digest[:12])

    def _refuse(self, problems: Sequence[str]) -> None:
        old, self.refusal = self.refusal, Refusal(time(), tuple(problems[:PROBLEMS_MAX]))
        self._metrics.policy(self.reign.number, valid=False)
        self._metrics.reload("refused")
        if self.vacant and old is not None and old.problems == self.refusal.problems:
            return  # it is tried again and again
        what = f"{self.reign.program.digest[:12]} goes on"
        if self.vacant:
            what = "there is none before it: not ready"
        log.error(
            "policy: refused, %s (%d problems)\n%s",
            *(what, len(problems), "\n".join(self.refusal.problems)),
        )

    async def _give_up_attempt(self) -> None:
        attempt = self._attempt
        await _ended(attempt)
        if self._attempt is attempt:
            self._attempt = None


async def _ended(task: "asyncio.Task[None] | None") -> None:
    """Cancel *task*, if there is one, and wait until it has ended.

    Who is cancelled while he waits is cancelled, and does not take it for the end of *task*.
    """
    if task is not None:
        task.cancel()
        await asyncio.wait({task})
        with suppress(asyncio.CancelledError):
            task.result()  # or the task keeps the error, and with it all that it was about
