import pytest

from headrace.dsl.program import EndpointFilter, Term
from headrace.extensions.picker.decide import Question, decide
from headrace.extensions.picker.plans import GLIMPSED_MAX, TEXT_MAX, VALUES_MAX, Plans
from headrace.extensions.picker.record import Capture
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.store import Store
from headrace.extensions.picker.table import Table
from tests.extensions.picker.build import (
    KV_FREE,
    NAMES,
    RUNNING,
    Asked,
    keep,
    profile,
    program,
    ready_store,
    score,
)

LORA = score(
    "lora",
    lambda e, r: 1.0 if r.adapter in e.adapters else 0.0,
    "request.adapter",
    "endpoint.adapters",
)
BY_ADAPTER = profile(terms=(Term(1.0, LORA), Term(1.0, KV_FREE)))
PLAIN = profile(terms=(Term(1.0, KV_FREE),))


def find(plans: Plans, store: Store, adapter: str = "", by: object = BY_ADAPTER) -> Table:
    state = store.snapshot.pools["gemma"]
    used = BY_ADAPTER if by is BY_ADAPTER else PLAIN
    return plans.find(used, state, Asked(adapter=adapter), 1.0)[1]


def test_a_table_outlives_what_changes_in_its_pool() -> None:
    plans, store = Plans(), ready_store(program())
    table = find(plans, store, by=PLAIN)
    store.reserve("gemma", NAMES[0], 1.0)
    store.scraped("gemma", NAMES[1], ServerFacts(5, 5, 0.5), 1.0)

    assert find(plans, store, by=PLAIN) is table


def test_a_pool_with_other_endpoints_gets_another_table() -> None:
    plans, store = Plans(), ready_store(program())
    table = find(plans, store, by=PLAIN)
    store.adopt(program(), 2.0)
    assert find(plans, store, by=PLAIN) is table
    store.adopt(program(pools={"gemma": NAMES[:2]}), 3.0)

    assert find(plans, store, by=PLAIN) is not table


def test_an_older_snapshot_is_decided_as_it_was() -> None:
    plans, store = Plans(), ready_store(program())
    before = store.snapshot.pools["gemma"]
    for address in NAMES[1:]:
        store.scraped("gemma", address, ServerFacts(0, 0, 0.9), 1.0)
    later = Question(store.snapshot.pools["gemma"], Asked(), PLAIN, {}, 1.0)
    earlier = Question(before, Asked(), PLAIN, {}, 1.0)

    assert decide(later, plans).chosen == NAMES[0]
    assert decide(earlier, plans) == decide(earlier)
    assert decide(later, plans).chosen == NAMES[0]


def test_a_value_gets_its_table_when_it_comes_again() -> None:
    plans, store = Plans(), ready_store(program())
    first = find(plans, store, "english")
    second = find(plans, store, "english")

    assert first is not second
    assert find(plans, store, "english") is second
    assert find(plans, store, "spanish") is first  # of what all adapters have in common


def test_values_that_clients_make_up_fill_no_memory() -> None:
    plans, store = Plans(), ready_store(program())
    tables = {id(find(plans, store, f"once-{n}")) for n in range(2 * GLIMPSED_MAX)}
    kept = [find(plans, store, f"twice-{n // 2}") for n in range(4 * VALUES_MAX)][1::2]
    again = [find(plans, store, f"twice-{n}") for n in range(VALUES_MAX, 2 * VALUES_MAX)]
    long = "x" * (TEXT_MAX + 1)

    assert len(tables) == 1
    assert len({id(t) for t in kept}) == 2 * VALUES_MAX
    assert again == kept[VALUES_MAX:]
    assert {id(find(plans, store, long)) for _ in range(3)} == tables


def test_a_rule_is_not_evaluated_for_endpoints_that_did_not_change() -> None:
    seen: list[str] = []

    def look(address: str) -> bool:
        seen.append(address)
        return True

    looking: EndpointFilter = keep("looking", lambda e, _: look(e.address), "endpoint.queue")
    by = profile(require=(looking,), terms=(Term(1.0, KV_FREE),))
    plans, store = Plans(), ready_store(program())

    def pick() -> list[str]:
        seen.clear()
        decide(Question(store.snapshot.pools["gemma"], Asked(), by, {}, 1.0), plans)
        return list(seen)

    assert pick() == list(NAMES)
    assert pick() == []
    store.reserve("gemma", NAMES[1], 1.0)
    assert pick() == [NAMES[1]]
    store.scraped("gemma", NAMES[2], ServerFacts(1, 1, 0.1), 1.0)
    assert pick() == [NAMES[2]]


def test_our_own_counts_do_not_move_a_rule_that_does_not_read_them() -> None:
    by = profile(terms=(Term(1.0, KV_FREE),), ties=RUNNING)
    plans, store = Plans(), ready_store(program())
    question = Question(store.snapshot.pools["gemma"], Asked(), by, {}, 1.0)
    before = decide(question, plans).destinations
    for address in NAMES[:2]:
        store.reserve("gemma", address, 1.0)
    after = Question(store.snapshot.pools["gemma"], Asked(), by, {}, 1.0)

    assert decide(after, plans).destinations == before


def test_a_record_is_made_when_somebody_looks_and_then_kept() -> None:
    store = ready_store(program())
    decision = decide(Question(store.snapshot.pools["gemma"], Asked(), PLAIN, {}, 1.0))

    assert isinstance(decision.evidence, Capture)
    record = decision.record
    assert decision.evidence is record
    assert decision.record is record


def test_a_rule_that_crashed_once_leaves_no_wrong_table_behind() -> None:
    crashing: set[str] = set()

    def look(address: str, queue: int) -> bool:
        assert address not in crashing
        return queue == 0

    idle = keep("idle", lambda e, _: look(e.address, e.queue), "endpoint.queue")
    by = profile(require=(idle,), terms=(Term(1.0, KV_FREE),))
    plans, store = Plans(), ready_store(program())

    def asked() -> Question:
        return Question(store.snapshot.pools["gemma"], Asked(), by, {}, 1.0)

    decide(asked(), plans)
    for address in NAMES[:2]:
        store.reserve("gemma", address, 1.0)
    crashing.add(NAMES[1])
    with pytest.raises(AssertionError):
        decide(asked(), plans)
    crashing.clear()

    assert decide(asked(), plans) == decide(asked())
    assert decide(asked(), plans).destinations == (NAMES[2],)
