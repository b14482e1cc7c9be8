"""Bursts between two scrapes are spread: what public incidents of other routers were about.

No endpoint is scraped while a burst lasts, so all that is known of it is what was sent.
"""

from collections import Counter
from pathlib import Path

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.extensions.picker.decide import Question, decide
from headrace.extensions.picker.plans import Plans
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.store import Store
from headrace.extensions.picker.values import Seen
from headrace.extensions.work import Work

BURST = 500
ADDRESSES = tuple(f"10.0.0.{i}:8000" for i in range(1, 6))
HEAD = "sched 1\npool p { endpoints ENDPOINTS }\nmodel m { route p }\n"
SLO = (Path(__file__).parents[3] / "policies" / "slo.sched").read_text()
TOKENS = """cost ahead = endpoint.predicted_ttft
profile default { minimize ahead  pick least }"""
QUEUE = "scorer short = 1.0 / (1.0 + double(endpoint.queue))\nprofile default { score short }"
COUNTED = """filter least = endpoint.uncached_tokens_in_flight < 40_000
scorer few = 1.0 / (1.0 + double(endpoint.tokens_in_flight))
profile default { prefer least  score few }"""
POLICIES = {
    "built in": HEAD,
    "slo.sched": HEAD + "".join(SLO.partition("filter alive")[1:]),
    "predicted first token": HEAD + TOKENS,
    "queue": HEAD + QUEUE,
    "tokens in flight": HEAD + COUNTED,
}


class Gateway:
    """A store, and decisions by a policy that are reserved as the picker does."""

    def __init__(self, policy: str, seed: int = 0, addresses: tuple[str, ...] = ADDRESSES) -> None:
        quoted = ", ".join(f'"{a}"' for a in addresses)
        self.program = compile_policy([Source("t", policy.replace("ENDPOINTS", quoted))])
        self.store = Store.for_program(self.program)
        self.plans, self.seed = Plans(), seed
        for address in addresses:
            self.scrape(address)

    def scrape(
        self,
        address: str,
        waiting: int = 0,
        running: int = 0,
        at_s: float = 0.0,
        adapters: tuple[str, ...] = (),
    ) -> None:
        facts = ServerFacts(
            waiting,
            running,
            0.1,
            adapters=adapters,
            adapters_max=4,
            block_size=16,
            num_blocks=20_000,
        )
        self.store.scraped("p", address, facts, at_s)

    def send(
        self,
        name: str,
        tokens: int,
        output: int,
        hashes: tuple[int, ...] = (),
        adapter: str = "",
    ) -> str:
        """Send one request; return where it went."""
        prefix = self.store.prefixes["p"].match(hashes)
        work = Work(tokens, output, True, adapter=adapter, prefix=prefix)
        seen = Seen(
            name,
            adapter=adapter,
            prompt_tokens=tokens,
            max_tokens=output,
            stream=True,
            prefix=prefix,
            work=work,
        )
        snapshot = self.store.snapshot
        profiles = self.program.profiles
        question = Question(
            snapshot.pools["p"], seen, profiles["default"], profiles, 1.0, self.seed
        )
        address = decide(question, self.plans).chosen
        assert address is not None
        self.store.reserve("p", address, 1.0, self.store.load("p", address, work))
        self.store.prefixes["p"].insert(address, hashes)
        return address

    def burst(self, tokens: int, output: int, hashes: tuple[int, ...] = ()) -> Counter[str]:
        """Send `BURST` requests at once; return how many went where."""
        return Counter(self.send(f"r-{i}", tokens, output, hashes) for i in range(BURST))


@pytest.mark.parametrize("name", POLICIES)
def test_single_turns_starve_no_server(name: str) -> None:
    """dynamo 7836: with 256 to 512 single turns at once, three of five servers got them all."""
    sent = Gateway(POLICIES[name]).burst(1000, 200)

    assert set(sent) == set(ADDRESSES)
    assert max(sent.values()) <= 1.1 * min(sent.values())


@pytest.mark.parametrize("name", POLICIES)
def test_long_prompts_with_short_answers_count_before_their_answers_begin(name: str) -> None:
    """sglang 27547: load counted when the answer began, so 32k prompts all went to the first."""
    sent = Gateway(POLICIES[name]).burst(32_000, 1)

    assert max(sent.values()) <= 1.1 * BURST / len(ADDRESSES)


@pytest.mark.parametrize("seed", range(5))
def test_equal_endpoints_share_the_first_picks_whatever_their_order(seed: int) -> None:
    """llm-d-router PR 2515: of equal scores one and the same endpoint won a whole burst."""
    sent = Counter(Gateway(POLICIES["queue"], seed).send(f"r-{i}", 1000, 200) for i in range(BURST))

    assert set(sent) == set(ADDRESSES)
    assert max(sent.values()) <= 1.5 * BURST / len(ADDRESSES)


@pytest.mark.parametrize("name", ["built in", "slo.sched", "predicted first token"])
def test_a_miss_does_not_go_to_a_loaded_server_because_its_cache_is_small(name: str) -> None:
    """sglang 14305: misses went to the smallest cache, that of the server which was drowning."""
    drowning, idle = ADDRESSES[:2]
    gateway = Gateway(POLICIES[name], addresses=(drowning, idle))
    gateway.store.prefixes["p"].insert(idle, tuple(range(4000)))
    for _ in range(40):
        gateway.store.reserve("p", drowning, 1.0, gateway.store.load("p", drowning, Work(8000)))

    sent = [gateway.send(f"r-{i}", 2000, 100) for i in range(8)]

    assert set(sent) == {idle}


@pytest.mark.parametrize("name", POLICIES)
def test_gateways_that_know_nothing_of_each_other_choose_differently_among_equals(
    name: str,
) -> None:
    """dynamo 589: in one cycle of the metrics, all routers took the same server for the best."""
    gateways = [Gateway(POLICIES[name]) for _ in range(64)]
    sent = Counter(g.send(f"g-{i}", 1000, 200) for i, g in enumerate(gateways))

    assert set(sent) == set(ADDRESSES)
    assert max(sent.values()) <= 64 * 0.4


def test_what_other_gateways_sent_counts_with_the_next_scrape() -> None:
    gateway = Gateway(POLICIES["slo.sched"])
    crowded = gateway.send("r-0", 1000, 200)
    gateway.scrape(crowded, waiting=10, running=20, at_s=2.0)

    sent = [gateway.send(f"r-{i}", 1000, 200) for i in range(1, 13)]

    assert crowded not in sent


@pytest.mark.parametrize(("name", "most"), [("built in", 128), ("slo.sched", 125)])
def test_a_prompt_that_all_share_does_not_all_go_where_it_is_cached(name: str, most: int) -> None:
    sent = Gateway(POLICIES[name]).burst(4000, 200, tuple(range(60)))

    assert max(sent.values()) <= most


ADAPTERS = """profile default { score lora_affinity_scorer + queue_scorer }"""


@pytest.mark.parametrize("name", [*POLICIES, "adapters"])
@pytest.mark.parametrize("loaded", [0, 5])
def test_a_burst_for_one_adapter_spreads_over_equals_whose_metrics_are_stale(
    name: str, loaded: int
) -> None:
    gateway = Gateway({**POLICIES, "adapters": HEAD + ADAPTERS}[name])
    for n, address in enumerate(ADDRESSES):
        gateway.scrape(address, 3, 3, 0.1, ("tuned",) if n < loaded else ("other",))
        gateway.store.failed("p", address, "timed out", 9.0)
    pool = gateway.store.snapshot.pools["p"]
    assert all(e.ready and e.queue_drift == 1 for e in pool.endpoints)

    sent = Counter(gateway.send(f"r-{i}", 1000, 200, adapter="tuned") for i in range(BURST))

    assert set(sent) == set(ADDRESSES)
    assert max(sent.values()) <= 1.1 * min(sent.values())


def test_the_only_server_that_is_known_to_have_an_adapter_does_not_get_a_whole_burst() -> None:
    gateway = Gateway(HEAD + ADAPTERS)
    gateway.scrape(ADDRESSES[2], 0, 0, 0.5, ("tuned",))

    sent = Counter(gateway.send(f"r-{i}", 1000, 200, adapter="tuned") for i in range(BURST))

    assert set(sent) == set(ADDRESSES)
    assert max(sent.values()) <= 1.1 * min(sent.values())


def test_servers_of_which_only_old_figures_are_known_get_less_and_not_nothing() -> None:
    gateway = Gateway(POLICIES["queue"])
    for address in ADDRESSES[:2]:
        gateway.store.failed("p", address, "timed out", 9.0)
    sent = Counter(gateway.send(f"r-{i}", 1000, 200) for i in range(BURST))

    blind, seen = ([sent[a] for a in group] for group in (ADDRESSES[:2], ADDRESSES[2:]))
    assert max(blind) <= min(seen)
    assert min(blind) >= 0.9 * max(seen)
