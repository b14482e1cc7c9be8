"""Texts that are changed stay what they are: strings, or JSON."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dsl.guarding import OnMatch
from headrace.extensions.safety.contract import Hit, Verdict
from headrace.extensions.safety.edits import Edit, applied, difference, edits
from headrace.extensions.safety.mask import Vault
from headrace.extensions.safety.rewriting import NOT_LOCATED, NOT_WHOLE, Texts
from headrace.extensions.texts.values import Passage, Said

SHORT = st.text(alphabet="abc \N{SNOWMAN}", max_size=12)
HITS = st.builds(Hit, st.just("w"), st.just(0), st.integers(0, 14), st.integers(0, 14))


def passage(text: str, *, whole: bool = True, said: Said = Said.PROSE) -> Passage:
    return Passage("user", said, text, ("here",), whole=whole)


def taken_out(given_text: Passage, hits: tuple[Hit, ...], vault: Vault | None = None) -> bytes:
    texts = Texts([given_text])
    action = OnMatch.REDACT if vault is None else OnMatch.MASK
    assert not texts.find([0], Verdict(hits), action)
    texts.take_out(vault)
    return texts.patches()["here",]


@given(SHORT, SHORT)
def test_the_difference_of_two_texts_makes_one_of_the_other(old: str, new: str) -> None:
    change = difference(old, new)

    if change is None or not old:
        assert old == new or not old
    else:
        assert change.start < change.end
        assert applied(old, [change]) == new


@given(SHORT, st.lists(HITS, max_size=5))
def test_changes_are_in_order_apart_and_within_the_text(text: str, hits: list[Hit]) -> None:
    found = edits(hits, len(text))

    assert all(0 <= one.start < one.end <= len(text) for one in found)
    assert all(one.end <= other.start for one, other in pairwise(found))
    for hit in hits:
        start, end = (hit.start, hit.end) if (hit.start, hit.end) != (0, 0) else (0, len(text))
        for at in range(start, min(end, len(text))):
            assert any(one.start <= at < one.end for one in found)


def test_the_words_of_a_change_that_covers_all_of_another_count() -> None:
    wide, narrow = Hit("a", 0, 2, 8, "WIDE"), Hit("b", 0, 3, 5, "NARROW")

    assert edits([narrow, wide], 10) == (Edit(2, 8, "WIDE"),)
    assert edits([Hit("a", 0, 2, 5, "A"), Hit("b", 0, 4, 8, "B")], 10) == (Edit(2, 8),)


def test_a_find_in_a_json_value_is_taken_out_and_it_stays_json() -> None:
    source = '{"card":4111,"note":"so bad, \\"bad\\""}'
    hits = tuple(Hit("w", 0, at, at + 3) for at in (24, 31))
    number = (Hit("w", 0, 8, 12),)

    assert json.loads(taken_out(passage(source, whole=False), hits)) == {
        "card": 4111,
        "note": 'so [redacted], "[redacted]"',
    }
    assert json.loads(taken_out(passage(source, whole=False), number))["card"] == "[redacted]"


def test_arguments_that_are_a_string_of_json_stay_json_too() -> None:
    source = '{"card":4111}'
    raw = taken_out(passage(source, said=Said.TOOL_CALL), (Hit("w", 0, 8, 12),))

    assert json.loads(json.loads(raw)) == {"card": "[redacted]"}


def test_what_is_masked_in_a_json_value_comes_back_as_it_was() -> None:
    vault = Vault()
    masked = taken_out(passage('{"a":"x\\"y"}', whole=False), (Hit("w", 0, 6, 10),), vault)
    answer = Texts([passage(masked.decode(), whole=False)])
    answer.restore(vault)

    assert json.loads(masked)["a"] == "<W_1>"
    assert json.loads(answer.patches()["here",])["a"] == 'x"y'


@pytest.mark.parametrize(
    ("where", "hit", "why"),
    [
        (passage("bad"), Hit("w"), NOT_LOCATED),
        (passage("bad"), Hit("w", 3), NOT_LOCATED),
        (Passage("user", Said.PROSE, "bad", ()), Hit("w", 0), NOT_WHOLE),
    ],
)
def test_what_cannot_be_taken_out_is_told(where: Passage, hit: Hit, why: str) -> None:
    assert Texts([where]).find([0], Verdict((hit,)), OnMatch.REDACT) == why


def test_half_of_a_surrogate_pair_becomes_a_question_mark() -> None:
    raw = taken_out(passage("\ud800 bad"), (Hit("w", 0, 2, 5),))

    assert raw == b'"? [redacted]"'
