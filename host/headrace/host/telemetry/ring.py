"""The last exchanges with all that was decided in them, bounded in number and in bytes.

An entry is what the exchange leaves behind: nothing is worked out before somebody asks.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from headrace.extensions.call import Call
from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.record import Capture
from headrace.extensions.stage import NO_METADATA, Outcome
from headrace.extensions.values import NO_VALUES
from headrace.host.explain.tell import Noted, note
from headrace.host.telemetry.summary import Summary

KEPT_MAX = 10_000
KEPT_BYTES_MAX = 96 << 20
# Measured with tracemalloc on exchanges of the whole chain; see `tests/host/telemetry/test_ring`.
ENTRY_BYTES, ENDPOINT_BYTES, FIELD_BYTES, CACHED_BYTES = 5_000, 8, 160, 120
USUAL_CHARS = 64  # of a header's value: as many are in `FIELD_BYTES`
NO_PREFIX: Mapping[str, float] = {}


class Kept(Struct, frozen=True):
    """One exchange that has ended.

    outcome  without its body, its prompt in any form, and what Envoy told beside them
    prefix   endpoint -> share of the prompt cached there, as the pick saw it
    time_s   when it ended, Unix seconds
    bytes    an estimate of what it keeps alive that no other does
    """

    outcome: Outcome
    decision: Decision | None
    model: str
    pool: str
    priority: int
    reason: str
    time_s: float
    bytes: int
    prefix: Mapping[str, float] = NO_PREFIX

    def noted(self) -> Noted:
        """Return what its story is told from."""
        noted = note(self.outcome, self.time_s)
        if self.prefix:
            noted.request.prefix = self.prefix
        return noted


class Wanted(Struct, frozen=True):
    """Which exchanges are asked for. Empty: any.

    model  the policy's name for it, or the client's
    """

    model: str = ""
    pool: str = ""
    reason: str = ""

    def has(self, kept: Kept) -> bool:
        """Return whether *kept* is one of them."""
        call = kept.outcome.request.call
        asked = call.model if call is not None else ""
        return (
            (not self.model or self.model in (kept.model, asked))
            and (not self.pool or self.pool == kept.pool)
            and (not self.reason or self.reason == kept.reason)
        )


@dataclass(slots=True)
class Ring:
    """Keeps the newest. Written from the event loop's thread.

    bytes  what is kept, as estimated
    """

    kept_max: int = KEPT_MAX
    bytes_max: int = KEPT_BYTES_MAX
    bytes: int = 0
    _kept: deque[Kept] = field(default_factory=deque[Kept], init=False)

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, outcome: Outcome, summary: Summary, time_s: float) -> None:
        """Keep *outcome*; the oldest go."""
        kept = _kept_of(outcome, summary, time_s)
        self._kept.append(kept)
        self.bytes += kept.bytes
        while len(self._kept) > self.kept_max or (
            self.bytes > self.bytes_max and len(self._kept) > 1
        ):
            self.bytes -= self._kept.popleft().bytes

    def newest(self, wanted: Wanted | None = None) -> Iterator[Kept]:
        """Yield those that are *wanted*, newest first. Nothing may be put meanwhile."""
        return (kept for kept in reversed(self._kept) if wanted is None or wanted.has(kept))

    def decided(self) -> tuple[Kept, Decision] | None:
        """Return the newest exchange for which an endpoint was to be picked, and that decision."""
        made = ((kept, kept.decision) for kept in self.newest())
        return next(((kept, found) for kept, found in made if found is not None), None)

    def find(self, request_id: str) -> Kept | None:
        """Return the newest exchange of that id; else the newest whose id begins with it."""
        found: Kept | None = None
        for kept in self.newest():
            if kept.outcome.request.id == request_id:
                return kept
            if found is None and kept.outcome.request.id.startswith(request_id):
                found = kept
        return found


def _kept_of(outcome: Outcome, summary: Summary, time_s: float) -> Kept:
    decision, request = summary.decision, outcome.request
    prefix = NO_PREFIX
    if decision is not None and isinstance(decision.evidence, Capture):
        prefix = decision.evidence.request.prefix
    call = request.call
    if isinstance(call, Call):
        call = replace(call, texts=(), ids=b"", media=(), salt="")
    bare = replace(request, body=None, call=call, attributes=NO_VALUES, metadata=NO_METADATA)
    fields = (*request.headers.pairs, *outcome.response_headers.pairs)
    # Clients choose how long their headers are: what is beyond the usual is counted.
    long = sum([len(value) for _, value in fields if len(value) > USUAL_CHARS])
    size = ENTRY_BYTES + FIELD_BYTES * len(fields) + 2 * long
    if decision is not None:
        size += ENDPOINT_BYTES * len(decision.endpoints) + CACHED_BYTES * len(prefix)
    return Kept(
        replace(outcome, request=bare),
        decision,
        summary.model_label,
        summary.pool or (decision.pool if decision is not None else ""),
        summary.priority,
        summary.reason,
        time_s,
        size,
        prefix,
    )
