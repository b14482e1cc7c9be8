"""Texts cut for a provider, and verdicts put together: nothing is left out, nothing moves."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.call import Text
from headrace.extensions.safety.contract import Hit, Verdict
from headrace.extensions.safety.windows import Cut, batches, cuts, of_pieces, one_verdict

TEXTS = st.lists(st.text(alphabet="abc ", max_size=40), max_size=5)


def texts(said: list[str]) -> list[Text]:
    return [Text("user", text) for text in said]


@given(TEXTS, st.integers(1, 12), st.integers(0, 12))
def test_pieces_are_short_enough_overlap_and_have_every_character(
    said: list[str], chars_max: int, overlap: int
) -> None:
    pieces = list(cuts(texts(said), chars_max, overlap))

    for at, text in enumerate(said):
        mine = [piece for piece in pieces if piece.of == at]
        covered: set[int] = set()
        for piece in mine:
            piece_text = piece.text.text
            assert 0 < len(piece_text) <= chars_max
            assert text[piece.start : piece.start + len(piece_text)] == piece_text
            covered |= set(range(piece.start, piece.start + len(piece_text)))
        assert covered == set(range(len(text)))
        for one, other in itertools.pairwise(mine):
            assert one.start + len(one.text.text) - other.start >= min(overlap, chars_max - 1)


@given(TEXTS, st.integers(1, 12), st.integers(1, 3))
def test_batches_have_every_piece_once_in_order_and_pieces_of_a_text_apart(
    said: list[str], chars_max: int, texts_max: int
) -> None:
    pieces = list(cuts(texts(said), chars_max, 0))
    found = list(batches(pieces, texts_max))

    assert [piece for batch in found for piece in batch] == pieces
    for batch in found:
        assert 1 <= len(batch) <= texts_max
        assert len({piece.of for piece in batch}) == len(batch)


def test_a_find_in_a_piece_stands_where_it_stands_in_the_text() -> None:
    piece = Cut(3, 100, Text("user", "so bad"), whole=False)

    assert of_pieces([piece], Verdict((Hit("w", 0, 3, 6),))).hits == (Hit("w", 3, 103, 106),)
    assert of_pieces([piece], Verdict((Hit("w"),))).hits == (Hit("w", 3, 100, 106),)


def test_what_is_rewritten_is_a_change_of_what_differs() -> None:
    pieces = [Cut(0, 0, Text("user", "hello")), Cut(1, 0, Text("user", "call 555 now"))]
    verdict = Verdict((Hit("phone", 1),), {1: "call [X] now"})

    assert set(of_pieces(pieces, verdict).hits) == {Hit("phone", 1, 5, 8, "[X]")}


def test_a_find_of_which_the_provider_does_not_say_where_stays_one() -> None:
    pieces = [Cut(0, 0, Text("user", "a")), Cut(1, 0, Text("user", "b"))]

    assert of_pieces(pieces, Verdict((Hit("w"), Hit("x", 7)))).hits == (Hit("w"), Hit("x"))


def test_one_verdict_says_all_and_the_first_error_code() -> None:
    first, second = Verdict((Hit("a", 0),)), Verdict((Hit("b", 1),), code="c", message="m")
    found = one_verdict([first, second, Verdict(partial="half")])

    assert found == Verdict((Hit("a", 0), Hit("b", 1)), {}, "half", "c", "m")
