"""Whatever stands in a file while it is written, every question about it has an answer."""

from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from headrace.dsl.policy import World
from headrace.dsl.source import Source
from headrace.host.lsp import answers, describe
from headrace.host.lsp.completion import choices
from headrace.host.lsp.files import Files
from headrace.host.lsp.policy import findings, names
from headrace.host.lsp.spots import Spots, utf16

ROOT = Path(__file__).parents[3]
WHOLE = (ROOT / "tests" / "dsl" / "whole" / "whole.sched").read_text()
PATH = "/nowhere/a.sched"
STAGES = World().stages


def asked(text: str, offset: int) -> None:
    """Ask everything about the place *offset* of *text*."""
    files, spots = Files({PATH: text}), Spots()
    source = Source(PATH, text)
    known = names(files, PATH)
    found = findings(files, PATH, STAGES)
    shown = [answers.diagnostic(one, spots) for one in found]
    offered = choices(source, offset, known)
    mention = known.at(PATH, offset)
    there = spots.position(source, offset)

    assert len(shown) == len(found)
    assert len({choice.text for choice in offered}) == len(offered)
    assert all(choice.text for choice in offered)
    assert mention is None or describe.name(mention, known)
    assert spots.offset(source, there) == offset
    assert isinstance(answers.actions(found, source, spots.whole(source), spots), list)
    assert len(answers.symbols(source, spots)) <= text.count("\n") + 1 or ";" in text
    answers.formatted(source, spots)


@pytest.mark.parametrize("cut", range(0, len(WHOLE), 83))
def test_a_policy_can_be_cut_anywhere(cut: int) -> None:
    asked(WHOLE[:cut], cut)


@pytest.mark.parametrize("hole", range(30, len(WHOLE) - 30, 211))
def test_a_policy_can_have_a_hole_anywhere(hole: int) -> None:
    asked(WHOLE[:hole] + WHOLE[hole + 25 :], hole)


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.text(st.sampled_from("pool model{}()[]\"'#.=:?&|5% \n🚀é\t"), max_size=60))
def test_any_text_can_be_asked_about(text: str) -> None:
    asked(text, len(text) // 2)


@given(st.text(), st.integers(0, 20))
def test_a_place_is_the_same_in_code_units_and_back(text: str, at: int) -> None:
    source = Source(PATH, text)
    offset = min(at, len(text))

    assert utf16(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2
    assert Spots().offset(source, Spots().position(source, offset)) == offset
