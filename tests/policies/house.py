"""Serves one case of a policy's `test` blocks: real stages in the real chain, no network."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import GivenPool, Program, TestCase
from headrace.dsl.source import Source
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.prompt import BLOCK_BYTES, Prompt, Turn
from headrace.extensions.picker.snapshot import Endpoint, Snapshot, pool_state
from headrace.extensions.picker.store import Store
from headrace.extensions.records import Verdict
from headrace.extensions.registry import Site, build
from headrace.extensions.stage import Outcome
from headrace.host.cli.imports import Imports
from headrace.host.telemetry.summary import Summary, summarise
from headrace.host.testing.message import Message, Seen
from headrace.host.testing.tester import Case, StageTester

ROOT = Path(__file__).parents[2]
POLICIES = sorted((ROOT / "policies").glob("*.sched"))
BYTES_PER_TOKEN = 4  # of the host's estimate


def loaded(path: Path) -> Program:
    """Return the program at *path*, its imports included."""
    sources = [Source(str(path), path.read_text())]
    return compile_policy(sources, loader=Imports.of(sources).load)


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of a case, as `decision.*` names it."""

    seen: Seen
    summary: Summary
    outcome: Outcome
    names: Mapping[str, str]

    @property
    def shed(self) -> bool:
        return self.summary.shed

    @property
    def blocked(self) -> bool:
        return self.summary.reason == "safety-blocked"

    @property
    def rejected(self) -> bool:
        return bool(self.summary.reason)

    @property
    def status(self) -> int:
        return self.seen.status if self.rejected else 0

    @property
    def queued(self) -> bool:
        return False

    @property
    def reason(self) -> str:
        return self.summary.reason

    @property
    def message(self) -> str:
        body = self.seen.downstream.body if self.rejected and self.seen.downstream else b"{}"
        return str(json.loads(body).get("error", {}).get("message", ""))

    @property
    def model(self) -> str:
        return self.summary.model_label

    @property
    def target(self) -> str:
        return self.summary.route.target if self.summary.route else ""

    @property
    def adapter(self) -> str:
        return self.summary.adapter

    @property
    def pool(self) -> str:
        return self.summary.pool

    @property
    def endpoint(self) -> str:
        return self.names.get(self.summary.endpoint, self.summary.endpoint)

    @property
    def profile(self) -> str:
        decision = self.summary.decision
        return decision.profile if decision is not None else self.summary.profile

    @property
    def priority(self) -> int:
        return self.summary.priority

    @property
    def kind(self) -> str:
        return self.summary.kind

    @property
    def guard(self) -> str:
        records = (record for run in self.outcome.runs for record in run.records)
        return next((r.guard for r in records if isinstance(r, Verdict)), "")

    @property
    def wait_s(self) -> float:
        return 0.0

    @property
    def retry_after_s(self) -> float:
        headers = dict(self.seen.downstream.headers) if self.seen.downstream else {}
        return float(headers.get("retry-after", 0)) if self.rejected else 0.0


@dataclass(frozen=True, slots=True)
class Cached:
    """Stands where the index of prompts does: says what a test gives, and learns nothing."""

    shares: Mapping[str, float] = field(default_factory=dict[str, float])
    block_bytes: int = BLOCK_BYTES

    def match(self, hashes: Sequence[int], turns: Sequence[Turn] = ()) -> Mapping[str, float]:
        return self.shares

    def insert(self, address: str, hashes: Sequence[int], prompt: Prompt | None = None) -> None: ...

    def withdraw(self, address: str, hashes: Sequence[int]) -> None: ...

    def forget(self, address: str) -> None: ...


def serve(program: Program, case: TestCase) -> Decided:
    """Return what the chain `default` of *program* makes of *case*."""
    store = Store.for_program(program)
    given = {pool.pool: pool for pool in case.pools}
    pools = {name: _endpoints(program, name, given.get(name)) for name in program.pools}
    store.snapshot = Snapshot(
        {name: pool_state(name, them) for name, (them, _) in pools.items()}, 1, 0.0
    )
    for name, (_, shares) in pools.items():
        store.prefixes[name] = cast(PrefixIndex, Cached(shares))
    chain = program.chain("default")
    assert chain is not None
    site = Site(store, lambda outcome: None)
    stages = [build(name, program, site) for name in chain.stages]
    seen = StageTester(stages).run(Case(_message(case)))
    assert not seen.violations, seen.violations
    assert seen.outcome is not None
    names = {e.address: e.name for them, _ in pools.values() for e in them}
    return Decided(seen, summarise(seen.outcome), seen.outcome, names)


def _endpoints(
    program: Program, pool: str, given: GivenPool | None
) -> tuple[list[Endpoint], dict[str, float]]:
    """Return the endpoints of *pool*, as given or else idle, and what each has cached."""
    if given is None:
        addresses = program.pools[pool].endpoints
        return [Endpoint(a, a, ready=True, scraped_at_s=0.0) for a in addresses], {}
    made: list[Endpoint] = []
    shares: dict[str, float] = {}
    for i, endpoint in enumerate(given.endpoints):
        values = dict(endpoint.values)
        address = f"10.0.0.{i + 1}:8000"
        shares[address] = float(cast(float, values.pop("prefix_match", 0.0)))
        values.setdefault("ready", True)
        queue = values.get("queue", 0)
        # Any: a field of an endpoint has the type that the checker saw in the test.
        made.append(
            Endpoint(endpoint.name, address, scraped_at_s=0.0, waiting_scraped=queue, **values)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        )
    return made, shares


def _message(case: TestCase) -> Message:
    request = case.request
    tokens = cast(int, request.get("prompt_tokens", 8))
    prompt = cast(str, request.get("prompt", "x" * (tokens * BYTES_PER_TOKEN)))
    body = {"model": request["model"], "messages": [{"role": "user", "content": prompt}]}
    headers = cast(Mapping[str, str], request.get("headers", {}))
    plain = {name.replace("-", "_"): value for name, value in headers.items() if value}
    return Message.post("/v1/chat/completions", json.dumps(body).encode(), **plain)


def missed(program: Program, case: TestCase, decided: Decided) -> list[str]:
    """Return the expectations of *case* that do not hold, with what came out."""
    model = program.models.get(decided.model)
    found: list[str] = []
    for after in case.expects:
        # Nothing of a request or a response is read: a test of ours expects decisions alone.
        values = cast(Any, (None, model, decided, None, 0.0))
        came = after.value(*values)
        if came is not True:
            found.append(f"{after.rule.span.text}: {came}")
    return found
