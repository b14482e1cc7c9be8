"""What a chain needs is what its stages need together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dsl.program import Chain, Program
from headrace.extensions.registry import UnknownStage
from headrace.extensions.stage import Needs, ResponseNeed, union
from headrace.host.envoy.needs import chain_needs
from headrace.host.envoy.processor import CHAIN_METADATA
from headrace.host.extproc import session

NAMES = st.frozensets(st.sampled_from("abc"))
NEEDS = st.builds(Needs, st.booleans(), st.sampled_from(ResponseNeed), NAMES, NAMES, NAMES)


@given(st.lists(NEEDS))
def test_the_union_satisfies_each_and_asks_for_nothing_more(needs: list[Needs]) -> None:
    total = union(needs)

    assert total.request_body == any(n.request_body for n in needs)
    assert total.response.value == max((n.response.value for n in needs), default=0)
    assert total.attributes == frozenset[str]().union(*(n.attributes for n in needs))
    assert total.forwarding == frozenset[str]().union(*(n.forwarding for n in needs))
    assert total.receiving == frozenset[str]().union(*(n.receiving for n in needs))


def test_a_shorter_chain_needs_less() -> None:
    program = Program("d", chains={"route": Chain("route", ("body_router",))})

    whole, short = chain_needs(program, "default"), chain_needs(program, "route")

    assert whole.request_body
    assert short.request_body
    assert "envoy.lb" in whole.receiving
    assert "envoy.lb" not in short.receiving
    assert whole.response is ResponseNeed.OBSERVE
    assert short.response is ResponseNeed.NONE


def test_a_stage_that_is_not_installed_is_named() -> None:
    program = Program("d", chains={"odd": Chain("odd", ("acme_redactor",))})

    with pytest.raises(UnknownStage, match="`acme_redactor`"):
        chain_needs(program, "odd")


def test_envoy_names_the_chain_where_the_transport_looks_for_it() -> None:
    assert CHAIN_METADATA == session.CHAIN_METADATA
