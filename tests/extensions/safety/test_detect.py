from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.providers import DETECTORS
from headrace.extensions.safety.contract import Local
from headrace.extensions.safety.deny import deny_list
from headrace.extensions.safety.detect import NAMES, detector
from headrace.extensions.safety.local import LOOK_BACK, apart, joined, settled
from tests.extensions.safety.valid import VALID

ONE = {name: detector([name]) for name in sorted(NAMES)}
EVERY = joined([detector(NAMES), deny_list(["project bluebird", "c++", "\u673a\u5bc6"])])
AROUND = st.sampled_from(
    ["", " ", "My number is ", "(", "\u53f7", "\n", '{"a":"', "see: ", "caf\xe9 "]
)
BEHIND = st.sampled_from(["", " ", ".", ", and", ")", "\u662f", "\n", '"}', "; x", "! "])
# What looks like the beginnings and ends of everything, so that cuts fall where it matters.
WORDS = """4111 1111-1111.1111 5 3782 822463 10005 DE89 3704 0044 0532 0130 00 123-45-6789 ssn: is
a@b.com @ . - + +1 (415) 555-2671 00 06 12 34 10.0.0.1 :: fe80::1 sk- AKIA ghp_ token: Bearer eyJ
aB3xY9 -----BEGIN PRIVATE KEY----- -----END project bluebird c++ \u673a \u5bc6 \xe9 \u200b the of
eyJhbGciOiJIUzI1NiJ9 Zx8mQ2pL9vR4tY7w"""
FRAGMENTS = st.sampled_from([*WORDS.split(), " ", "  ", "\n"])


def pieces(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(FRAGMENTS | texts, max_size=12).map("".join)


TEXTS = pieces(st.one_of([strategy() for strategy in VALID.values()]))


def texts_of(local: Local, text: str) -> list[str]:
    return [text[one.start : one.end] for one in apart(local.found(text))]


def test_the_language_names_the_detectors_there_are() -> None:
    assert DETECTORS.keys() == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
@given(data=st.data())
def test_what_is_valid_is_found_whatever_stands_round_it(name: str, data: st.DataObject) -> None:
    value = data.draw(VALID[name]())
    text = data.draw(AROUND) + value + data.draw(BEHIND)
    found = texts_of(ONE[name], text)

    assert len(found) == 1
    assert found[0] in text
    assert found[0] in (value, value.removeprefix("phone: "))


def cuts(text: str, steps: list[int]) -> Iterator[int]:
    at = 0
    for step in steps:
        at += step
        if at >= len(text):
            return
        yield at


@settings(deadline=None)
@given(text=TEXTS, steps=st.lists(st.integers(1, 12), max_size=60))
def test_a_stream_finds_what_the_whole_text_has(text: str, steps: list[int]) -> None:
    found, done = list[tuple[str, int, int]](), 0
    for cut in [*cuts(text, steps), len(text)]:
        first = max(0, done - LOOK_BACK)
        end = cut == len(text)
        window = text[first:cut]
        some, until = settled(EVERY, window, done - first)
        if end:
            some = apart(EVERY.found(window, done - first))
        found += [(one.what, one.start + first, one.end + first) for one in some]
        done = first + until

    assert found == [(one.what, one.start, one.end) for one in apart(EVERY.found(text))]
