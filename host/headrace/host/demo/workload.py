"""What the demo sends: three phases of three kinds of callers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from headrace.host.sim.load import (
    OutputLength,
    PlannedRequest,
    PromptFamily,
    Workload,
    WorkloadClass,
    plan,
)

BATCH = "batch"
# With fewer, a burst may end before the replicas' queues have filled.
REQUESTS_FOR_OVERLOAD = 300

_SUPPORT = PromptFamily("support", documents=6, shared_tokens=600, question_tokens=40)
_SMALL_TALK = PromptFamily("small talk", documents=1, shared_tokens=0, question_tokens=30)
_REPORTS = PromptFamily("reports", documents=3, shared_tokens=400, question_tokens=120)

CHAT = WorkloadClass(
    "chat",
    "chatbot",
    (replace(_SUPPORT, weight=3.0), _SMALL_TALK),
    OutputLength(mean=30, least=8, most=80),
    weight=6.0,
)
_LONG_CHAT = replace(CHAT, output=OutputLength(mean=40, least=20, most=80))
ENGLISH = WorkloadClass(
    "adapter", "english-bot", (_SUPPORT,), OutputLength(mean=24, least=8, most=60), weight=1.0
)
SPANISH = replace(ENGLISH, model="spanish-bot")
NIGHTLY = WorkloadClass(
    BATCH,
    "chatbot",
    (_REPORTS,),
    OutputLength(mean=40, least=20, most=100),
    weight=2.0,
    headers=(("x-job", "batch"),),
)
CLASSES = ("chat", "adapter", BATCH)


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the demo. *share*: of all requests; *about*: what to look at meanwhile."""

    name: str
    about: str
    share: float
    workload: Workload


PHASES = (
    Phase(
        "warm-up",
        "first questions fill the prefix caches",
        0.1,
        Workload((CHAT, ENGLISH, SPANISH), rate_per_s=10.0),
    ),
    Phase(
        "steady",
        "questions about the same document go where it is cached",
        0.5,
        Workload((CHAT, ENGLISH, SPANISH, replace(NIGHTLY, weight=1.0)), rate_per_s=16.0),
    ),
    Phase(
        "overload",
        "too much for six replicas: batch is shed, chat waits and is served",
        0.4,
        Workload((_LONG_CHAT, ENGLISH, SPANISH, replace(NIGHTLY, weight=4.0)), rate_per_s=70.0),
    ),
)


def shares(requests: int) -> Mapping[str, int]:
    """Return how many of *requests* each phase sends; together exactly that many."""
    counts = {phase.name: int(requests * phase.share) for phase in PHASES}
    last = PHASES[-1].name
    counts[last] += requests - sum(counts.values())
    return counts


def planned(phase: Phase, count: int, seed: int) -> Iterator[PlannedRequest]:
    """Return the *count* requests of *phase*, by send time from its start."""
    return islice(plan(phase.workload, seed), count)
