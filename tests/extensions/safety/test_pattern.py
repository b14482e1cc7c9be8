import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.call import Text
from headrace.extensions.safety.contract import Asked, Direction, Found, Hit
from headrace.extensions.safety.local import LOOK_BACK, settled
from headrace.extensions.safety.pattern import pattern_list

TWO = pattern_list(("(?i)pipe ?bomb", "\xe9+|b"))


@given(st.text(alphabet="pipebom \xe9\U0001f680\u4f60"))
def test_places_are_characters_in_any_text(text: str) -> None:
    places = {
        (number, place.span())
        for number, pattern in enumerate(("(?i)pipe ?bomb", "\xe9+|b"))
        for place in re.finditer(pattern, text)
    }

    assert {(int(one.what[8:]), (one.start, one.end)) for one in TWO.found(text)} == places


def test_each_text_has_its_hits_and_those_that_overlap_are_one() -> None:
    asked = Asked(Direction.PROMPT, (Text("user", "ok"), Text("user", "a PipeBomb")))

    assert TWO.screen(asked).hits == (Hit("pattern 0", 1, 2, 10),)


def test_what_is_before_the_start_is_context_only() -> None:
    words = pattern_list((r"\bsarin\b", "x*"))

    assert words.found("sarin sarin", 5) == (Found("pattern 0", 6, 11, 6),)
    assert words.found("asarin", 1) == ()
    assert pattern_list(("\xe9",)).found("\xe9\xe9", 1) == (Found("pattern 0", 1, 2, 1),)


def test_what_is_no_expression_is_an_error_that_quotes_it() -> None:
    with pytest.raises(ValueError, match=r"pattern `\(a` is no RE2 expression"):
        pattern_list(("(a",))


@given(text=st.text(alphabet="ab ", max_size=60), step=st.integers(1, 9))
def test_a_stream_finds_matches_that_are_no_longer_than_the_overlap(text: str, step: int) -> None:
    local = pattern_list(("ab{1,4}a",))
    found, done = list[tuple[int, int]](), 0
    for cut in range(step, len(text) + step, step):
        first = max(0, done - LOOK_BACK)
        some, until = settled(local, text[first:cut], done - first, overlap=6)
        found += [(one.start + first, one.end + first) for one in some]
        done = first + until
    found += [(one.start, one.end) for one in local.found(text, done)]

    assert found == [(one.start, one.end) for one in local.found(text)]
