from hypothesis import given
from hypothesis import strategies as st

from headrace.host.sim.prose import Prose
from headrace.host.sim.tokens import block_hashes, fingerprint, id_pieces, tokenize


@given(text=st.text())
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    assert "".join(tokenize(text)) == text


@given(text=st.text(), after=st.text())
def test_a_longer_text_keeps_the_hashes_of_its_beginning(text: str, after: str) -> None:
    pieces, more = tokenize(text), tokenize(after)
    hashes = block_hashes(pieces)

    assert len(hashes) == len(pieces) // 16
    assert block_hashes([*pieces, *more])[: len(hashes)] == hashes


def test_a_hash_stands_for_all_before_it() -> None:
    same_end = ["x"] * 16
    one, other = block_hashes(["a"] * 16 + same_end), block_hashes(["b"] * 16 + same_end)

    assert one[0] != other[0]
    assert one[1] != other[1]


def test_adapters_do_not_share_blocks() -> None:
    pieces = ["a"] * 16

    assert block_hashes(pieces, "one") != block_hashes(pieces, "two") != block_hashes(pieces)


def test_english_has_about_four_characters_a_token() -> None:
    text = "".join(Prose().continue_from(0, 300))

    assert 3.5 < len(text) / len(tokenize(text)) < 5.5


def test_chat_markers_are_one_token() -> None:
    assert tokenize("<|im_start|>user\nhi<|im_end|>") == [
        "<|im_start|>",
        "user",
        "\n",
        "hi",
        "<|im_end|>",
    ]


def test_token_ids_and_fingerprints_tell_prompts_apart() -> None:
    assert fingerprint(id_pieces([1, 23])) != fingerprint(id_pieces([12, 3]))
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])


@given(seed=st.integers(0, 2**64 - 1), tokens=st.integers(0, 700))
def test_an_answer_read_back_has_the_tokens_it_was_made_of(seed: int, tokens: int) -> None:
    pieces = Prose().continue_from(seed, tokens)
    head = "<|im_start|>assistant\n"
    asked_again = tokenize(head + "".join(pieces) + "<|im_end|>")

    assert len(pieces) == tokens
    assert asked_again == [*tokenize(head), *pieces, "<|im_end|>"]
