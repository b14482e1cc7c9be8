"""How well the picker predicts what servers have cached, on conversations, in virtual time.

The whole of it is ours and no network: clients that talk in turns, the picker stage with its
store, replicas that batch, cache and evict, and metrics and KV events as they would come.
``python -m bench.multiturn``.
"""

import heapq
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.extensions.call import parse_call
from headrace.extensions.headers import Headers
from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.kv.book import Tally
from headrace.extensions.picker.kv.events import read_batch
from headrace.extensions.picker.record import Capture
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.stage import DESTINATION, Picker
from headrace.extensions.picker.store import Store
from headrace.extensions.records import Usage
from headrace.extensions.stage import (
    Continue,
    ExchangeInfo,
    Filter,
    Outcome,
    Request,
    Route,
    StageRun,
)
from headrace.host.sim.bodies import read_chat
from headrace.host.sim.kv_events import encode_changes
from headrace.host.sim.profile import profiles
from headrace.host.sim.prose import Prose
from headrace.host.sim.replica import Limits, Replica
from headrace.host.sim.request import Batch, Finished, SimRequest
from headrace.host.sim.tokens import block_hashes

Message = dict[str, str]
PATH = "/v1/chat/completions"
SCRAPE_S = 0.25
POLICY = """sched 1
pool p {{ endpoints {endpoints} {more} }}
model m {{ route p }}
"""


@dataclass(frozen=True, slots=True)
class Talk:
    """Conversations: *systems* different beginnings of *system_tokens*, then turns.

    kv_blocks  of 16 tokens, of each replica: few enough that old conversations are evicted
    lockstep   all questions and answers are of one length, as in synthetic benchmarks; else
               of 0.5 to 1.5 times that
    foreign    the share of conversations that come by another way, so that we see none of them
    """

    conversations: int = 160
    turns: int = 5
    systems: int = 4
    system_tokens: int = 1500
    question_tokens: int = 300
    answer_tokens: int = 200
    per_s: float = 1.5
    think_s: float = 8.0
    replicas: int = 4
    kv_blocks: int = 4000
    lockstep: bool = False
    foreign: float = 0.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares of all prompt tokens, 0..1; *error* is the mean over requests of how far off it was.

    answers    requests that ended
    matching   how many of them were found in the events
    """

    predicted: float
    true: float
    error: float
    answers: int
    matching: Tally

    @property
    def points(self) -> float:
        """By how many points of 100 the two ratios differ."""
        return abs(self.predicted - self.true) * 100


Follow = Callable[[str, float], None]


@dataclass(slots=True)
class _Sent:
    """One request under way."""

    filter: Filter | None  # None: it is not ours
    request: Request
    answer: str
    follow: Follow
    predicted: float
    tokens: int
    answer_tokens: int


@dataclass(slots=True)
class _Scores:
    """What came of the requests, growing."""

    tokens: int = 0
    cached: int = 0
    predicted: float = 0.0
    off: list[float] = field(default_factory=list[float])


class _World:
    """The clock, the picker and the replicas."""

    def __init__(self, talk: Talk, events: bool) -> None:
        self.talk = talk
        program = _program(talk, events)
        self.store = Store.for_program(program)
        self.picker = Picker(program, self.store, talk.seed)
        profile = profiles()["qwen3-32b-2xh100"]
        limits = Limits(block_count=talk.kv_blocks, tells=events)
        addresses = program.pools["p"].endpoints
        self.replicas = {address: Replica(profile, limits) for address in addresses}
        self.chance = random.Random(talk.seed)
        self.scores = _Scores()
        self._queue: list[tuple[float, int, Callable[[float], None]]] = []
        self._serial = count()
        self._sent: dict[int, _Sent] = {}
        self._busy: set[str] = set()
        self._prose = Prose()

    def text(self, tokens: int) -> str:
        """Return new text of about so many tokens."""
        number = next(self._serial)
        words = self._prose.continue_from(self.chance.getrandbits(32), tokens)
        return f"{number} " + "".join(words)

    def at(self, time_s: float, what: Callable[[float], None]) -> None:
        """Do *what* at *time_s*."""
        heapq.heappush(self._queue, (time_s, next(self._serial), what))

    def run(self) -> None:
        """Run until nothing is left to do."""
        self.scrape(0.0)
        while self._queue:
            now_s, _, what = heapq.heappop(self._queue)
            what(now_s)

    def scrape(self, now_s: float) -> None:
        """Tell the picker what the replicas' metrics say, again and again while there is work."""
        for address, replica in self.replicas.items():
            told = replica.metrics()
            facts = ServerFacts(
                told.waiting,
                told.running,
                told.kv_used_ratio,
                block_size=told.block_tokens,
                num_blocks=told.block_count,
            )
            self.store.scraped("p", address, facts, now_s)
        if self._queue:
            self.at(now_s + SCRAPE_S, self.scrape)

    def ask(self, messages: list[Message], answer_tokens: int, now_s: float, then: Follow) -> None:
        """Send a chat to where the picker says; *then* is told the answer and when it ended."""
        body = json.dumps({"model": "m", "messages": messages}).encode()
        headers = Headers(((":path", PATH), (":method", "POST")))
        call = parse_call(PATH, "application/json", body)
        request = Request(f"r-{next(self._serial)}", headers, body, call, Route("m", "p", "m"))
        chosen = self.picker.open(ExchangeInfo(request.id, "main", headers, now_s))
        assert chosen is not None
        action = chosen.on_request(request, now_s)
        assert isinstance(action, Continue), action
        address = action.set_headers[DESTINATION].split(",")[0]
        predicted = _predicted(action.records, address)
        self._send(address, _Sent(chosen, request, "", then, predicted, 0, answer_tokens), now_s)

    def pass_by(
        self, messages: list[Message], answer_tokens: int, now_s: float, then: Follow
    ) -> None:
        """Send a chat to a replica, and not by us."""
        body = json.dumps({"model": "m", "messages": messages}).encode()
        address = self.chance.choice(list(self.replicas))
        request = Request("", Headers(()), body)
        self._send(address, _Sent(None, request, "", then, 0.0, 0, answer_tokens), now_s)

    def _send(self, address: str, sent: _Sent, now_s: float) -> None:
        number, body = next(self._serial), sent.request.body
        assert body is not None
        pieces = read_chat(body).pieces
        answer = self._prose.continue_from(self.chance.getrandbits(32), sent.answer_tokens)
        hashes = block_hashes([*pieces, *answer])
        sent.answer, sent.tokens = "".join(answer), len(pieces)
        self.replicas[address].submit(
            SimRequest(number, len(pieces), sent.answer_tokens, hashes), now_s
        )
        self._sent[number] = sent
        self._wake(address, now_s)

    def _wake(self, address: str, now_s: float) -> None:
        start_s = self.replicas[address].start_s(now_s)
        if address not in self._busy and start_s is not None:
            self._busy.add(address)
            self.at(start_s, lambda at_s: self._start(address, at_s))

    def _start(self, address: str, now_s: float) -> None:
        batch = self.replicas[address].start(now_s)
        if batch is None:
            self._busy.discard(address)
            self._wake(address, now_s)
            return
        self.at(now_s + batch.duration_s, lambda at_s: self._finish(address, batch, at_s))

    def _finish(self, address: str, batch: Batch, now_s: float) -> None:
        replica = self.replicas[address]
        step = replica.finish(batch)
        changes = replica.pool.changes()
        if changes:
            self.store.kv["p"].apply(address, read_batch(encode_changes(changes, now_s)), now_s)
        for finished in step.finished:
            self._end(finished, now_s)
        self._busy.discard(address)
        self._wake(address, now_s)

    def _end(self, finished: Finished, now_s: float) -> None:
        sent = self._sent.pop(finished.number)
        if sent.filter is None:
            sent.follow(sent.answer, now_s)
            return
        usage = Usage(sent.tokens, sent.answer_tokens, finished.cached_tokens)
        run = StageRun(
            "observability", "on_response_end", now_s, now_s, "continue", "", "", (usage,)
        )
        sent.filter.on_end(Outcome(sent.request, now_s, now_s, 200, "complete", runs=(run,)), now_s)
        scores = self.scores
        scores.tokens += sent.tokens
        scores.cached += finished.cached_tokens
        scores.predicted += sent.predicted * sent.tokens
        scores.off.append(abs(sent.predicted - finished.cached_tokens / sent.tokens))
        sent.follow(sent.answer, now_s)


class _Client:
    """One conversation: asks, reads the answer, thinks, and asks again with all of it."""

    def __init__(self, world: _World, system: str) -> None:
        self._world = world
        self._ask = world.pass_by if world.chance.random() < world.talk.foreign else world.ask
        self._messages: list[Message] = [{"role": "system", "content": system}]
        self._turns = world.talk.turns

    def ask(self, now_s: float) -> None:
        """Ask the next question."""
        world, talk = self._world, self._world.talk
        vary = 1.0 if talk.lockstep else 0.5 + world.chance.random()
        question = world.text(round(talk.question_tokens * vary))
        self._messages.append({"role": "user", "content": question})
        self._ask(self._messages, round(talk.answer_tokens * vary), now_s, self._answered)

    def _answered(self, answer: str, now_s: float) -> None:
        self._turns -= 1
        if self._turns:
            self._messages.append({"role": "assistant", "content": answer})
            world = self._world
            self._world.at(now_s + world.chance.expovariate(1 / world.talk.think_s), self.ask)


def accuracy(talk: Talk, *, events: bool) -> Accuracy:
    """Return how well hits were predicted in *talk*, with or without KV events."""
    world = _World(talk, events)
    systems = [world.text(talk.system_tokens) for _ in range(talk.systems)]
    start_s = 1.0
    for number in range(talk.conversations):
        client = _Client(world, systems[number % talk.systems])
        world.at(start_s, client.ask)
        start_s += world.chance.expovariate(talk.per_s)
    world.run()
    scores, index = world.scores, world.store.prefixes["p"]
    tally = world.store.kv["p"].tally if events else Tally()
    assert index.tally.prompt == scores.tokens, "every answer was settled"
    return Accuracy(
        scores.predicted / scores.tokens,
        scores.cached / scores.tokens,
        sum(scores.off) / len(scores.off),
        len(scores.off),
        tally,
    )


def _program(talk: Talk, events: bool) -> Program:
    listed = ", ".join(f'"10.0.0.{i + 1}:8000"' for i in range(talk.replicas))
    text = POLICY.format(endpoints=listed, more="kv events port 5557" if events else "")
    return compile_policy([Source("multiturn.sched", text)])


def _predicted(records: Sequence[object], address: str) -> float:
    """Return which share of the prompt the picker believed to be cached at *address*."""
    (decision,) = [record for record in records if isinstance(record, Decision)]
    evidence = decision.evidence
    assert isinstance(evidence, Capture)
    return evidence.request.prefix.get(address, 0.0)


TALKS = {
    "conversations": Talk(),
    "conversations, much evicted": Talk(kv_blocks=2000),
    "conversations, all of one length": Talk(lockstep=True),
    "conversations, half of them not by us": Talk(foreign=0.5, kv_blocks=2000),
}


def rows() -> Iterator[tuple[str, float, str]]:
    """Yield the figures of each workload, without and with events."""
    for name, talk in TALKS.items():
        for events in (False, True):
            found = accuracy(talk, events=events)
            what = f"{name}, {'with' if events else 'without'} KV events"
            yield f"hit ratio, {what}", round(found.true * 100, 1), "%"
            yield f"predicted, {what}", round(found.predicted * 100, 1), "%"
            yield f"predicted is off by, {what}", round(found.points, 1), "points"
            yield f"off per request, {what}", round(found.error * 100, 1), "points"


def main() -> None:
    """Print the table."""
    for name, talk in TALKS.items():
        for events in (False, True):
            print(name, events, accuracy(talk, events=events))


if __name__ == "__main__":
    main()
