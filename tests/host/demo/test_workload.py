"""The demo's load: every request is in some phase, and each phase is a function of the seed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.host.demo.workload import BATCH, CLASSES, PHASES, planned, shares


@given(st.integers(1, 100_000))
def test_the_phases_send_exactly_what_was_asked_for(requests: int) -> None:
    counts = shares(requests)

    assert sum(counts.values()) == requests
    assert min(counts.values()) >= 0


@pytest.mark.parametrize("phase", PHASES, ids=lambda p: p.name)
def test_equal_seeds_send_equal_requests(phase: object) -> None:
    found = next(p for p in PHASES if p is phase)

    assert list(planned(found, 20, 7)) == list(planned(found, 20, 7))
    assert list(planned(found, 20, 7)) != list(planned(found, 20, 8))


def test_batch_jobs_say_so_and_nobody_else_does() -> None:
    requests = [r for phase in PHASES for r in planned(phase, 200, 1)]

    assert {r.workload_class for r in requests} == set(CLASSES)
    for request in requests:
        assert (("x-job", "batch") in request.headers) == (request.workload_class == BATCH)
