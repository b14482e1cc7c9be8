"""Coverage: which rules and which branches the tests have exercised."""

import pytest

from headrace.host.policytest.coverage import Coverage
from headrace.host.policytest.suite import run_suite, suite_of
from tests.host.policytest.house import CHAT, program

RULES = (
    CHAT
    + 'class nightly when request.header("x-job") == "batch" { priority -10 }\n'
    + "filter has_room = endpoint.kv_cache < 95% && endpoint.queue < 128\n"
    + "scorer s = endpoint.adapter_slots > 0 ? 100% : 0%\n"
    + "profile default { prefer has_room  score 1 * s }\n"
    + "overload when pool.queue > 5.0 { shed when request.priority < 0 }\n"
    + 'guard keys when request.model != "x" { patterns "AKIA"  on match block with 400 "a" }\n'
)


def covered(tests: str) -> Coverage:
    """Return what *tests* cover of RULES."""
    gathered = Coverage()
    compiled = program(RULES + tests)
    done = run_suite(suite_of(compiled, ["p.sched"]), gathered)
    assert [r.error for r in done.results if r.error] == []
    return gathered


def block(body: str, name: str = "t") -> str:
    """Return a test with *body*."""
    return f'test "{name}" {{ {body} }}\n'


PLAIN = 'when request { "model": "chat" } expect !decision.blocked'
BATCH = 'when request { "model": "chat", "headers": { "x-job": "batch" } } expect decision.shed'
FULL = 'given pool gemma { endpoint a { "queue": 130, "kv_cache": 97% } }'


def test_without_tests_nothing_is_covered_and_everything_is_listed() -> None:
    missed = {point.what for point in covered("").missed}

    assert covered("").ratio == 0
    assert {
        "class nightly: matches",
        "filter has_room: drops an endpoint",
        "filter has_room: `endpoint.queue < 128` is false",
        "scorer s: is evaluated",
        "scorer s: `endpoint.adapter_slots > 0` is true",
        "overload: holds",
        "shed: turns a request away",
        "guard keys: applies",
        "guard keys: finds something",
    } <= missed


@pytest.mark.parametrize(
    ("tests", "hit"),
    [
        (block(PLAIN), {"scorer s: is evaluated", "guard keys: applies"}),
        (block(PLAIN), {"scorer s: `endpoint.adapter_slots > 0` is false"}),
        (block(f"{FULL} {BATCH}"), {"class nightly: matches", "shed: turns a request away"}),
        (block(f"{FULL} {PLAIN}"), {"overload: holds", "filter has_room: drops an endpoint"}),
        (block(f"{FULL} {PLAIN}"), {"filter has_room: `endpoint.kv_cache < 95%` is false"}),
        (
            block('when request { "model": "chat", "prompt": "AKIA" } expect decision.blocked'),
            {"guard keys: finds something"},
        ),
    ],
)
def test_what_a_test_exercises_is_covered_by_it_and_not_without_it(
    tests: str, hit: set[str]
) -> None:
    before = {point.what for point in covered("").missed}
    after = {point.what for point in covered(tests).missed}

    assert hit <= before
    assert not hit & after


def test_a_policy_that_is_covered_whole_has_a_ratio_of_one() -> None:
    slots = 'given pool gemma { endpoint a { "adapter_slots": 1 } }'
    guard = 'when request { "model": "chat", "prompt": "AKIA" } expect decision.blocked'
    other = 'given pool gemma { endpoint a { "kv_cache": 97%, "queue": 1 } endpoint b {} }'

    found = covered(block(f"{FULL} {BATCH} {PLAIN}") + block(f"{slots} {PLAIN} {guard}", "u")
                    + block(f"{other} {PLAIN}", "v"))  # fmt: skip
    assert [point.what for point in found.missed] == []
    assert found.ratio == 1.0


def test_watching_changes_no_decision() -> None:
    compiled = program(RULES + block(f"{FULL} {BATCH} {PLAIN}"))
    suite = suite_of(compiled, ["p.sched"])

    plain, watched = run_suite(suite), run_suite(suite, Coverage())
    values = [[r.ran.values.decision for r in s.results if r.ran] for s in (plain, watched)]
    assert values[0] == values[1]
    assert len(values[0]) == 2


def test_a_policy_and_its_test_file_are_one_in_the_coverage() -> None:
    gathered = Coverage()
    compiled = program(RULES + block(f"{FULL} {BATCH}"))
    suite = suite_of(compiled, ["p.sched"])
    run_suite(suite, gathered)
    size = len(gathered.points)
    run_suite(suite_of(program(RULES), ["p.sched"]), gathered)

    assert len(gathered.points) == size
    assert gathered.ratio > 0


def test_the_profile_that_comes_with_the_language_is_not_the_policys_to_test() -> None:
    gathered = Coverage()
    gathered.watch(program(CHAT))

    assert gathered.points == {}
    assert gathered.ratio == 1.0


@pytest.mark.parametrize(("queue", "waits"), [(1, False), (9, True)])
def test_a_queue_is_covered_once_a_request_has_to_wait_in_it(queue: int, waits: bool) -> None:
    rules = CHAT + "overload when pool.queue > 5.0 { queue by request.priority for up to 2s }\n"
    case = f'given pool gemma {{ endpoint a {{ "queue": {queue} }} }} '
    case += f'when request {{ "model": "chat" }} expect decision.queued == {str(waits).lower()}'
    gathered = Coverage()
    done = run_suite(suite_of(program(rules + block(case)), ["p.sched"]), gathered)

    assert [r.passed for r in done.results] == [True]
    assert ("queue: lets a request wait" not in {p.what for p in gathered.missed}) is waits


def test_a_guard_that_asks_is_covered_by_a_finding_and_by_a_failure() -> None:
    armor = 'guard armor { template "projects/acme/locations/eu/templates/t" }'
    asked = 'when request { "model": "chat" } expect decision.rejected'
    finds = block(f'given guard armor finds "a" {asked}')
    fails = block(f"given guard armor fails timeout {asked}", "u")
    what = {"guard armor: finds something", "guard armor: has no verdict"}

    assert {p.what for p in covered(armor).missed} >= what
    assert {p.what for p in covered(armor + finds).missed} & what == {"guard armor: has no verdict"}
    assert {p.what for p in covered(armor + finds + fails).missed} & what == set()
