import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.extensions.call import Text
from headrace.extensions.safety.contract import Asked, Direction, Hit
from headrace.extensions.safety.deny import deny_list
from headrace.extensions.safety.local import LOOK_BACK, settled

PHRASES = [
    "Project Bluebird",
    "acme  merger",
    "bluebird x",
    "bird",
    "C++",
    "\u673a\u5bc6",
    "stra\xdfe",
    "\ufb01nance",
]
DENY = deny_list(PHRASES)


def found(text: str) -> list[str]:
    return [text[one.start : one.end] for one in DENY.found(text)]


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("the PROJECT\n\t bluebird!", ["PROJECT\n\t bluebird"]),
        ("projectbluebird project bluebirds project-bluebird", []),
        ("blackbird bird_ birds a bird.", ["bird"]),
        ("bird bird,bird", ["bird"] * 3),
        ("project bluebird x", ["project bluebird"]),  # of two that overlap, the first
        (
            "\u6211\u4eec\u7684bluebird X\u9879\u76ee \u673a\u5bc6\u6587\u4ef6",
            ["bluebird X", "\u673a\u5bc6"],
        ),
        ("\ud504\ub85c\uc81d\ud2b8 Bird\ub97c", ["Bird"]),  # Korean puts endings behind words
        ("STRASSE Stra\xdfe stra\u1e9ee", ["STRASSE", "Stra\xdfe", "stra\u1e9ee"]),
        ("FINANCE \ufb01nance refinance", ["FINANCE", "\ufb01nance"]),
        (
            "\uff22\uff29\uff32\uff24 bi\u200brd b\xadird\ufe0f",
            ["\uff22\uff29\uff32\uff24", "bi\u200brd", "b\xadird"],
        ),
        ("b\xefrd bi\u0301rd bird\u0301", []),  # accents count
        ("acme\xa0\u3000merger", ["acme\xa0\u3000merger"]),
        ("acme" + " " * 17 + "merger", []),
        ("C++, c++ C+", ["C++", "c++"]),
        ("", []),
        ("\ud800 bird \ud800", ["bird"]),  # half a pair, as JSON may have it
    ],
)
def test_a_phrase_is_found_in_any_case_at_the_edges_of_words(text: str, phrases: list[str]) -> None:
    assert found(text) == phrases


def test_a_finding_says_where_and_not_which() -> None:
    asked = Asked(Direction.PROMPT, (Text("user", "a"), Text("user", "a Bird")))

    assert DENY.screen(asked).hits == (Hit("denied", 1, 2, 6),)
    assert "bluebird" not in repr(DENY).lower()


def test_a_list_needs_a_phrase_that_can_be_seen() -> None:
    with pytest.raises(ValueError, match="needs a phrase that can be seen"):
        deny_list(["", " \u200b"])


def test_thousands_of_phrases_are_one_search() -> None:
    many = deny_list(f"secret {number} word" for number in range(5000))
    text = "secret 1 words, secret 4999  word and secret 5000 word"

    assert [text[one.start : one.end] for one in many.found(text)] == ["secret 4999  word"]
    assert many.partial_start("a secret 49") == 2
    assert many.partial_start("a secret x") == len("a secret x")


@given(
    st.lists(st.sampled_from(["bird", "Bird", "birds", "acme", "merger", " ", "  ", ".", "-", "1"]))
)
def test_ascii_phrases_are_found_as_a_plain_expression_finds_them(parts: list[str]) -> None:
    text = "".join(parts)
    plain = re.compile(r"(?i)\b(?:acme\s{1,16}merger|bird)\b", re.ASCII)

    assert [(one.start, one.end) for one in DENY.found(text)] == [
        place.span() for place in plain.finditer(text)
    ]


LETTERS = st.sampled_from(
    [
        *"bird projectluexacm+.",
        "\u673a",
        "\u5bc6",
        "\xdf",
        "SS",
        "\ufb01",
        "nance",
        "bird",
        "bluebird x",
        "stra",
    ]
)


@settings(deadline=None)
@given(parts=st.lists(LETTERS, max_size=30), steps=st.lists(st.integers(1, 9), max_size=40))
def test_a_stream_has_the_phrases_of_the_whole_text(parts: list[str], steps: list[int]) -> None:
    text = "".join(parts)
    spans, done, cut = list[tuple[int, int]](), 0, 0
    for step in steps:
        cut = min(cut + step, len(text))
        first = max(0, done - LOOK_BACK)
        some, until = settled(DENY, text[first:cut], done - first)
        spans += [(one.start + first, one.end + first) for one in some]
        done = first + until
    first = max(0, done - LOOK_BACK)
    rest = DENY.found(text[first:], done - first)
    spans += [(one.start + first, one.end + first) for one in rest]
    whole = [(one.start, one.end) for one in DENY.found(text)]

    # Where two overlap, one of them may be found in the end that the other is in.
    assert covered(spans) == covered(whole)


def covered(spans: list[tuple[int, int]]) -> set[int]:
    return {at for start, end in spans for at in range(start, end)}
