"""What the checker lets pass turns nobody away, by priority, whose priority is 0 or more."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from headrace.dsl.policy import check_policy
from headrace.dsl.source import Source
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Reject
from tests.dsl.lints.conditions import conditions
from tests.extensions.picker.queueing import HEAD, House, policy, request

OF_POOLS = {
    "endpoint.queue": "pool.max.queue",
    "endpoint.running": "pool.max.running",
    "endpoint.kv_cache": "pool.kv_cache",
    "endpoint.zone": "pool.name",
    "endpoint.ready": "request.stream",
}
FACTS = st.builds(
    ServerFacts,
    st.integers(0, 8),
    st.integers(0, 8),
    kv_cache=st.integers(0, 20).map(lambda n: n / 20),
)


@st.composite
def sheds(draw: st.DrawFn) -> str:
    """Draw a `shed` whose condition asks about the priority, and about much else."""
    text = draw(conditions)
    for name, other in OF_POOLS.items():
        text = text.replace(name, other)
    bound = draw(st.integers(-2, 2))
    shape = draw(
        st.sampled_from(
            (
                "request.priority < {0} && ({1})",
                "({1}) && request.priority < {0}",
                "({1}) ? request.priority < {0} : request.priority == -1",
                "!(request.priority >= {0} || ({1}))",
            )
        )
    )
    return f"overload when true {{ shed when {shape.format(bound, text)} }}"


@settings(max_examples=60, deadline=None)
@given(sheds(), st.tuples(FACTS, FACTS), st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_without_a_warning_no_request_of_priority_0_or_more_is_shed(
    text: str, facts: tuple[ServerFacts, ServerFacts], priorities: list[int]
) -> None:
    told = {d.code for d in check_policy([Source("t.sched", HEAD + text)])}
    assume("S305" not in told)
    house = House(policy(text))
    house.scrape(0.0, *facts)

    for n, priority in enumerate(priorities):
        action = house.comes(0.0, request(f"r-{n}", priority=priority, x="ba")).action
        assert not (isinstance(action, Reject) and action.reason is Reason.SHED)
