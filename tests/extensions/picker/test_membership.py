"""Who is in a pool, and what is declared of them, reaches the snapshot."""

from collections.abc import Sequence
from dataclasses import replace

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Pool, Program
from headrace.dsl.serving import Member
from headrace.dsl.source import Source
from headrace.extensions.picker.kv.events import Batch, Stored
from headrace.extensions.picker.snapshot import Endpoint, ServerFacts
from headrace.extensions.picker.store import BASES_MAX, Store
from tests.extensions.picker.build import NAMES, program, ready_store

A, B, C = NAMES
LEFT = Member(A, "left", "eu-1a", "prefill", (("tier", "gold"),))


def described(*members: Member) -> Program:
    """Return the policy with these *members* of its pool described."""
    plain = program()
    return replace(plain, pools={"gemma": replace(plain.pools["gemma"], described=members)})


def facts(endpoint: Endpoint) -> tuple[str, str, str, dict[str, str]]:
    return endpoint.name, endpoint.zone, endpoint.role, dict(endpoint.labels)


def test_what_is_declared_of_an_endpoint_is_in_the_snapshot() -> None:
    pool = Store.for_program(described(LEFT)).snapshot.pools["gemma"]

    assert facts(pool.endpoints[0]) == ("left", "eu-1a", "prefill", {"tier": "gold"})
    assert facts(pool.endpoints[1]) == (B, "", "", {})


def test_a_policy_that_describes_an_endpoint_otherwise_keeps_what_was_measured() -> None:
    store = ready_store(program())
    store.scraped("gemma", A, ServerFacts(3, 4, 0.5), 1.0)
    before = store.snapshot.pools["gemma"]
    store.adopt(described(LEFT), 2.0)
    pool = store.snapshot.pools["gemma"]
    found = pool.endpoints[0]

    assert facts(found)[0] == "left"
    assert (found.ready, found.queue, found.kv_cache) == (True, 3, 0.5)
    # Whoever keeps columns of this roster hears that this endpoint has changed, and no other.
    assert pool.roster is before.roster
    assert pool.roster.between(before.version, pool.version) == [1]
    store.adopt(described(LEFT), 3.0)
    assert store.snapshot.pools["gemma"].version == pool.version


def test_a_source_of_endpoints_may_know_others_than_the_policy() -> None:
    class Cluster:
        """Two pods, then one."""

        def __init__(self) -> None:
            self.pods = [LEFT, Member("10.9.9.9:1", "pod-2")]

        def members(self, pool: Pool) -> Sequence[Member]:
            return self.pods

    cluster = Cluster()
    store = Store(source=cluster)
    store.adopt(program(), 0.0)
    assert [e.name for e in store.snapshot.pools["gemma"].endpoints] == ["left", "pod-2"]
    cluster.pods.pop()
    store.adopt(program(), 1.0)

    assert [e.address for e in store.snapshot.pools["gemma"].endpoints] == [A]


def test_adapters_that_a_server_lists_count_where_its_metrics_tell_of_none() -> None:
    store = ready_store(program(adapters_max=4))
    store.listed("gemma", A, ("gemma", "lora-a"), {"lora-a": "gemma"})
    store.scraped("gemma", A, ServerFacts(), 1.0)
    found = store.snapshot.pools["gemma"].endpoints[0]
    assert (found.models, found.adapters, found.adapter_slots) == (
        ("gemma", "lora-a"),
        ("lora-a",),
        3,
    )
    store.scraped("gemma", A, ServerFacts(adapters_max=2), 2.0)  # these do tell: none at all

    assert store.snapshot.pools["gemma"].endpoints[0].adapters == ()


def test_utilisation_is_that_of_the_host_until_nobody_tells() -> None:
    store = ready_store(program())
    store.utilised("gemma", (A, B, "10.7.7.7:1"), 0.5)
    assert [e.gpu for e in store.snapshot.pools["gemma"].endpoints] == [0.5, 0.5, None]
    epoch = store.snapshot.epoch
    store.utilised("gemma", (A, B), 0.5)
    assert store.snapshot.epoch == epoch
    store.utilised("gemma", (A, B), None)

    assert [e.gpu for e in store.snapshot.pools["gemma"].endpoints] == [None] * 3


def test_a_counter_that_goes_backwards_is_a_restart() -> None:
    store = ready_store(program())
    for now_s, progress, known in ((1.0, 5.0, 1), (2.0, 9.0, 1), (3.0, None, 1)):
        store.scraped("gemma", A, ServerFacts(progress=progress), now_s)
        if now_s == 1.0:
            store.prefixes["gemma"].insert(A, [7])
        assert len(store.prefixes["gemma"].match([7])) == known
    store.scraped("gemma", A, ServerFacts(progress=0.5), 5.0)  # 9 was the last

    assert store.prefixes["gemma"].match([7]) == {}


def test_of_endpoints_that_come_and_go_nothing_is_left() -> None:
    text = (
        'sched 1\npool p { endpoints "10.0.0.1:8000"  kv events port 5557 }\nmodel m { route p }\n'
    )
    store = Store.for_program(compile_policy([Source("a.sched", text)]))
    for n in range(2, 40):
        address = f"10.0.0.{n}:8000"
        moved = compile_policy([Source("a.sched", text.replace("10.0.0.1:8000", address))])
        store.adopt(moved, float(n))
        store.kv["p"].apply(address, Batch((Stored((n,), None, 16),)), float(n))

    assert len(store.kv["p"]) == 1


def test_what_adapters_are_of_is_bounded_and_the_newest_word_counts() -> None:
    store = ready_store(program())
    for number in range(BASES_MAX + 2):
        store.listed("gemma", A, (), {f"lora-{number}": "old"})
    store.listed("gemma", A, (), {"lora-9": "new"})

    assert len(store.bases["gemma"]) == BASES_MAX
    assert store.bases["gemma"]["lora-9"] == "new"
    assert "lora-0" not in store.bases["gemma"]
