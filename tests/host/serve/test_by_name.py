"""Rules over what servers call by their own names, the clock and the model, on real servers."""

from pathlib import Path

from headrace.extensions.picker.decision import Decision
from headrace.extensions.records import Routing, RuleError
from headrace.extensions.stage import Outcome
from tests.host.serve.house import CHAT, House, chat, house, run, until
from tests.host.sim.client import FAST, Client, serving
from tests.host.sim.client import chat as asking

ASKED = "vllm:generation_tokens_total"
POLICY = """\
sched 1
pool gemma {{ endpoints {endpoints}  stale after 60s }}
model chatbot {{ priority 10  objective ttft p95 < 400ms  route gemma }}
model other {{ route gemma }}
class late when now < timestamp("2020-01-01T00:00:00Z") {{ priority -99 }}
class stated when model.name == "chatbot" && model.priority == 10 {{ priority 11 }}
filter of_today = now > timestamp("2020-01-01T00:00:00Z")
filter known = endpoint.metric("vllm:generation_tokens_total").hasValue()
filter paced = has(model.objective) ? model.objective < 1s : model.name == "other"
scorer rested = 1.0 / (1.0 + endpoint.metric("vllm:generation_tokens_total").orValue(0.0))
profile default {{ require of_today, known, paced  score 1 * rested  pick max }}
"""


def find(outcome: Outcome, kind: type) -> list[object]:
    """Return the records of *kind*."""
    return [r for run in outcome.runs for r in run.records if isinstance(r, kind)]


async def picked(running: House, model: str = "chatbot") -> tuple[str | None, int]:
    """Make an exchange and return the endpoint that was picked, by scores, and the priority."""
    before = len(running.outcomes)
    await chat(running, {**CHAT, "model": model})
    await until(lambda: len(running.outcomes) > before)
    outcome = running.outcomes[-1]
    (decision,), (routing,) = find(outcome, Decision), find(outcome, Routing)
    assert isinstance(decision, Decision)
    assert isinstance(routing, Routing)
    assert decision.how.value == "scored", decision.as_json()
    assert not find(outcome, RuleError)
    return decision.chosen, routing.priority


async def worked(server: Client, running: House) -> None:
    """Let *server* write some tokens, and wait until the host has read how many."""
    pool = running.store.snapshot.pools["gemma"]
    position = pool.positions[server.address]
    before = pool.endpoints[position].metrics[ASKED]
    assert (await server.post("/v1/chat/completions", asking(max_tokens=64))).status == 200

    def told() -> bool:
        return running.store.snapshot.pools["gemma"].endpoints[position].metrics[ASKED] > before

    await until(told)


def test_a_scorer_over_a_servers_own_metric_picks_the_server_that_has_done_least(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        async with serving(FAST) as a, serving(FAST) as b:
            path.write_text(POLICY.format(endpoints=f'"{a.address}", "{b.address}"'))
            async with house([path]) as running:
                await worked(a, running)
                first = await picked(running)
                await worked(b, running)
                await worked(b, running)
                second = await picked(running, "other")

        assert first == (b.address, 11)
        assert second == (a.address, 0)

    run(main)
