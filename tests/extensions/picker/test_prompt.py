import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.extensions.call import Api, Call, CallFault, Media, Text, parse_call
from headrace.extensions.picker.prompt import BLOCK_BYTES, Prompt, prompt_of

BIG = 1 << 20
LONG = "y" * BLOCK_BYTES
COMPLETIONS = "/v1/completions"


def said(*texts: Text, salt: str = "", media: tuple[Media, ...] = ()) -> Call:
    return Call(Api.CHAT, "m", texts, 1, None, False, media=media, salt=salt)


def parsed(path: str, **fields: object) -> Call:
    call = parse_call(path, "application/json", json.dumps({"model": "m", **fields}).encode())
    assert isinstance(call, Call), call
    return call


def chat(*messages: tuple[str, object], **fields: object) -> Prompt:
    listed = [{"role": role, "content": content} for role, content in messages]
    return prompt_of(parsed("/v1/chat/completions", messages=listed, **fields), "m")


def test_only_whole_blocks_are_hashed_and_at_most_the_bound() -> None:
    def count(chars: int) -> int:
        return len(prompt_of(said(Text("", "x" * (chars - 2))), "m", blocks_max=3).hashes)

    sizes = [2, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES - 1, 3 * BLOCK_BYTES, BIG]
    assert [count(n) for n in sizes] == [0, 0, 1, 1, 3, 3]


@pytest.mark.parametrize(
    "other",
    [
        prompt_of(said(Text("system", LONG)), "m"),
        prompt_of(said(Text("user", "z" + LONG)), "m"),
        prompt_of(said(Text("user", LONG)), "n"),
        prompt_of(said(Text("user", LONG)), "m", "adapter"),
        prompt_of(said(Text("user", ""), Text("user", LONG)), "m"),
        prompt_of(said(Text("user", LONG), salt="mine"), "m"),
        prompt_of(said(Text("user", LONG), media=(Media(0, 1),)), "m"),
    ],
    ids=["role", "text", "model", "adapter", "message", "salt", "media"],
)
def test_another_prompt_is_another_chain(other: Prompt) -> None:
    assert other.hashes
    assert not set(other.hashes) & set(prompt_of(said(Text("user", LONG)), "m").hashes)


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
OTHER_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAB"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}


@pytest.mark.parametrize("other", [OTHER_IMAGE, SOUND, {"type": "text", "text": ""}])
def test_an_image_counts_by_its_content_and_where_it_stands(other: object) -> None:
    def ask(*parts: object) -> Prompt:
        return chat(("user", [*parts, {"type": "text", "text": 2 * LONG}]))

    assert ask(IMAGE).hashes == ask(IMAGE).hashes
    assert ask(IMAGE).hashes[0] != ask(other).hashes[0]
    assert ask(IMAGE, SOUND).hashes[0] != ask(SOUND, IMAGE).hashes[0]


def test_tools_and_the_cache_salt_of_a_body_are_part_of_the_chain() -> None:
    plain = chat(("user", LONG))
    salted = chat(("user", LONG), cache_salt="mine")

    assert salted.hashes[0] == chat(("user", LONG), cache_salt="mine").hashes[0]
    assert salted.hashes[0] not in (
        plain.hashes[0],
        chat(("user", LONG), cache_salt="yours").hashes[0],
    )
    assert plain.hashes[0] != chat(("user", LONG), tools=[{"type": "function"}]).hashes[0]


def test_token_ids_are_hashed_as_numbers_and_any_change_of_one_counts() -> None:
    ids = list(range(1000, 1200))
    prompt = prompt_of(parsed(COMPLETIONS, prompt=ids), "m")
    longer = prompt_of(parsed(COMPLETIONS, prompt=[*ids, 5, 6]), "m")
    other = prompt_of(parsed(COMPLETIONS, prompt=[*ids[:100], 7000, *ids[101:]]), "m")

    assert len(prompt.hashes) == 3
    assert longer.hashes == prompt.hashes
    assert [a == b for a, b in zip(prompt.hashes, other.hashes, strict=True)] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("path", [COMPLETIONS, "/v1/embeddings"])
@pytest.mark.parametrize("ids", [[5], [-1, 3], [2**40, 3]], ids=["one", "negative", "large"])
def test_a_long_list_of_token_ids_is_the_same_prompt_as_a_short_one_goes_on(
    path: str, ids: list[int]
) -> None:
    name = "prompt" if path == COMPLETIONS else "input"
    short, long = (parsed(path, **{name: ids * n}) for n in (300 // len(ids), 3000))
    beginning = prompt_of(short, "m").hashes

    assert long.token_ids == 3000 * len(ids)
    assert beginning
    assert prompt_of(long, "m").hashes[: len(beginning)] == beginning


@pytest.mark.parametrize(
    "prompt", ["[1,,2]", "[1 2]", "[1.5]", '[1,"a"]', "[[1],[2]]", "[01]", "[1,]", "[true]", "{}"]
)
def test_what_looks_like_a_list_of_token_ids_is_judged_however_long_the_body_is(
    prompt: str,
) -> None:
    def body(blanks: int) -> bytes:
        return f'{{"model":"m","prompt":{prompt}{" " * blanks}}}'.encode()

    long, short = (parse_call(COMPLETIONS, "", body(n)) for n in (5000, 0))
    if isinstance(short, CallFault) and isinstance(long, CallFault):
        assert (long.reason, long.param) == (short.reason, short.param)
    else:
        assert long == short


@settings(max_examples=30)
@given(st.text(max_size=40), st.text(max_size=600), st.text(max_size=600))
def test_prompts_with_a_common_beginning_share_its_blocks(head: str, a: str, b: str) -> None:
    head = head + "h" * (2 * BLOCK_BYTES)
    one, two = (prompt_of(said(Text("user", head + tail)), "m").hashes for tail in (a, b))

    assert one[:2] == two[:2]
    assert len(one) >= 2


def test_text_that_is_no_utf8_is_hashed_all_the_same() -> None:
    assert len(prompt_of(said(Text("user", "\ud800" * BLOCK_BYTES)), "m\ud800").hashes) == 3


MESSAGES = st.lists(
    st.tuples(st.sampled_from(["user", "assistant", "tool"]), st.text(max_size=300)),
    min_size=1,
    max_size=6,
)


@given(MESSAGES, st.text(min_size=1, max_size=900), st.text(max_size=300))
def test_the_end_of_a_prompt_is_where_its_answer_stands_in_the_next(
    before: list[tuple[str, str]], answer: str, question: str
) -> None:
    before = [*before, ("user", "and?")]
    first = chat(*before)
    following = chat(*before, ("assistant", answer), ("user", question))

    turn = following.turns[-1]
    assert turn.key == first.end
    assert turn.after == len(first.hashes)
    assert first.hashes == following.hashes[: turn.after]
    answered = first.size + len(f"assistant\x1f{answer}\x1e".encode("utf-8", "surrogatepass"))
    assert turn.until == answered // BLOCK_BYTES


def test_a_prompt_that_ends_otherwise_has_another_end() -> None:
    ends = {chat(("user", LONG + tail)).end for tail in ("", "a", "b", LONG)}

    assert len(ends) == 4


def test_what_the_prompt_begins_with_is_no_answer() -> None:
    assert chat(("assistant", LONG), ("user", LONG)).turns == ()
