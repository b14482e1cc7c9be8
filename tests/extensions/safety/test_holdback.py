"""Whatever the text, its cutting and the guards: nothing unjudged goes on, and nothing is lost."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headrace.dsl.guarding import OnMatch, Streamed, Window
from headrace.extensions.call import Text
from headrace.extensions.safety.contract import Asked, Direction, Reach, Verdict
from headrace.extensions.safety.edits import applied, edits
from headrace.extensions.safety.post import Post
from headrace.extensions.stage import ResponseEvent
from tests.extensions.safety.doubles import WIDTH, Remote, desk, flagged_by, found_by, remote, words
from tests.extensions.safety.streaming import (
    delta,
    done,
    event,
    finish,
    raw_event,
    redacted,
    said,
    streamed,
    waiting,
)

BAD = "ab+c|bad"
# Longer than plain `st.text` makes them, so that a stream has several windows.
TEXTS = st.lists(st.sampled_from(["ab", "a", "b", "c", "d", " ", "bad", "\N{SNOWMAN}"])).map(
    lambda parts: "".join(parts * 4)
)
OVERLAPS = st.integers(8, 12)
WINDOWS = st.tuples(st.integers(1, 20), OVERLAPS).map(
    lambda pair: Window("characters", pair[0] + pair[1], pair[1])
)
LOCATES = Reach(locates=True, chars_max=40)


@st.composite
def chunked(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS) -> list[str]:
    """Return a text in pieces, some empty. A match is no longer than any overlap tried here."""
    text = re.sub("b{5,}", "bbbb", draw(texts))[:300]
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def stream(pieces: Sequence[str]) -> list[ResponseEvent]:
    role = event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})
    usage = event({"choices": [], "usage": {"completion_tokens": 3}})
    return [role, *map(delta, pieces), raw_event(b": ping\n\n"), finish(), usage, done()]


def guards(kind: str, on_match: OnMatch, window: Window) -> Post:
    match kind:
        case "local":
            return words("g", BAD, on_match=on_match, window=window)
        case "locating":
            return remote(found_by(BAD), reach=LOCATES, on_match=on_match, window=window)
        case _:
            return remote(flagged_by(BAD), on_match=on_match, window=window)


KINDS = st.sampled_from(["local", "locating", "flagging"])


@given(chunked(), KINDS, WINDOWS)
def test_without_a_match_the_client_gets_what_was_sent_byte_by_byte(
    pieces: list[str], kind: str, window: Window
) -> None:
    clean = [re.sub("[bc]", "x", piece) for piece in pieces]
    events = stream(clean)
    client = streamed(desk(guards(kind, OnMatch.BLOCK, window)), events)

    assert client.rejected is None
    assert client.all == b"".join(one.raw for one in events)


@given(chunked(), KINDS, WINDOWS)
def test_of_a_text_that_is_blocked_no_match_is_delivered(
    pieces: list[str], kind: str, window: Window
) -> None:
    text = "".join(pieces)
    client = streamed(desk(guards(kind, OnMatch.BLOCK, window)), stream(pieces))
    found = re.search(BAD, text)

    assert (client.rejected is not None) == (found is not None)
    if found is not None:
        delivered = said(client.all)
        assert text.startswith(delivered)
        # Who does not say where lets go on what it has judged, be it the beginning of a match.
        assert len(delivered) <= (found.end() - 1 if kind == "flagging" else found.start())


@given(chunked(), st.sampled_from(["local", "locating"]), WINDOWS)
def test_a_stream_is_redacted_as_the_whole_text_is(
    pieces: list[str], kind: str, window: Window
) -> None:
    client = streamed(desk(guards(kind, OnMatch.REDACT, window)), stream(pieces))

    assert client.rejected is None
    assert said(client.all) == redacted("".join(pieces), BAD)


@example(["a" * 7] * 6, Window("characters", 9, 8), ("aa",))
@example(["xabcdaxxxx", "y" * 9, "z" * 9], Window("characters", 9, 8), ("abc", "cda"))
@given(chunked(), WINDOWS, st.sampled_from([(r"\bc?ad?\b",), ("aa",), ("abc", "cda", "[ad] b")]))
def test_what_a_provider_finds_in_windows_is_what_it_finds_in_the_whole(
    pieces: list[str], window: Window, expressions: tuple[str, ...]
) -> None:
    def judge(asked: Asked) -> Verdict:
        return Verdict(tuple(hit for one in expressions for hit in found_by(one)(asked).hits))

    judging = remote(judge, reach=Reach(locates=True), on_match=OnMatch.REDACT, window=window)
    text = "".join(pieces)
    client = streamed(desk(judging), stream(pieces))
    hits = judge(Asked(Direction.RESPONSE, (Text("assistant", text),))).hits

    assert said(client.all) == applied(text, edits(hits, len(text)))


@given(chunked(), KINDS, WINDOWS)
def test_at_no_time_more_has_gone_on_than_was_judged(
    pieces: list[str], kind: str, window: Window
) -> None:
    judging = guards(kind, OnMatch.LOG, window)
    client = waiting(desk(judging))
    asks = judging.provider.asked if isinstance(judging.provider, Remote) else []
    asked_at_first, seen, judged = len(asks), "", 0
    for piece in pieces:
        before = len(asks)
        client.next(delta(piece))
        seen += piece
        judged = len(seen) if len(asks) > before or kind == "local" else judged
        hold = 0 if kind == "flagging" else window.overlap if kind == "locating" else WIDTH
        assert seen.startswith(said(client.all))
        # A find is final as a whole, though it may end a little later.
        assert len(said(client.all)) <= max(0, judged - hold + len("abbbbc"))

    looked = [asked.texts[0].text for asked in asks[asked_at_first:]]
    assert all(text in seen for text in looked)


@given(chunked(), KINDS, WINDOWS)
def test_text_waits_for_no_more_than_a_window(pieces: list[str], kind: str, window: Window) -> None:
    clean = [re.sub("[bc]", "x", piece) for piece in pieces]
    client = waiting(desk(guards(kind, OnMatch.BLOCK, window)))
    seen = 0
    for piece in clean:
        client.next(delta(piece))
        seen += len(piece)
        # What is behind the last whole event that could go on.
        longest = max(map(len, clean))
        assert seen - len(said(client.all)) <= window.size + longest


@given(st.lists(st.tuples(st.integers(0, 2), TEXTS), max_size=12), WINDOWS)
def test_choices_that_are_written_in_turns_are_redacted_each_by_itself(
    turns: list[tuple[int, str]], window: Window
) -> None:
    turns = [(choice, re.sub("b{3,}", "bb", text)) for choice, text in turns]
    events = [delta(text, choice) for choice, text in turns]
    ends = [finish(choice) for choice in range(3)]
    client = streamed(
        desk(words("g", "abb?c", on_match=OnMatch.REDACT, window=window)), [*events, *ends, done()]
    )

    for choice in range(3):
        whole = "".join(text for at, text in turns if at == choice)
        assert said(client.all, choice) == redacted(whole, "abb?c")


@given(chunked(), WINDOWS)
def test_text_that_comes_again_whole_is_changed_as_it_was(
    pieces: list[str], window: Window
) -> None:
    texts = ["".join(pieces[: at + 1]) for at in range(len(pieces))]
    events = [event({"choices": [{"index": 0, "delta": {"said": text}}]}) for text in texts]
    client = streamed(
        desk(words("g", BAD, on_match=OnMatch.REDACT, window=window)), [*events, done()]
    )
    last = client.all.split(b"\n\n")[-3] if len(texts) > 1 else b""

    assert client.rejected is None
    if last:
        assert said(last, field="said") == redacted(texts[-1], BAD)


def test_when_the_model_goes_on_to_another_text_the_last_one_has_ended() -> None:
    client = waiting(desk(words("g", "bad")))
    client.next(delta("let me think", field="reasoning"))
    client.next(delta("The answer is a long one"))

    assert said(client.all, field="reasoning") == "let me think"

    client.next(delta(", isn't it? And so on", field="content"))

    assert said(client.all) == "The answer is a long one"


def test_a_choice_that_is_complete_holds_no_other_back() -> None:
    client = waiting(desk(words("g", "bad")))
    client.next(delta("yes", 0))
    client.next(delta("no", 1))
    client.next(finish(0))
    client.next(delta(", never, or hardly ever", 1))

    assert said(client.all, 0) == "yes"
    assert said(client.all, 1) == "no"


def test_what_is_observed_goes_on_at_once_and_a_find_ends_it() -> None:
    watch = words("g", "bad", streamed=Streamed.OBSERVE)
    client = waiting(desk(watch))
    first = client.next(delta("a b"))
    client.next(delta("ad end"))
    client.next(delta("of it all and more"))

    assert said(first) == "a b"
    assert client.rejected is not None


@pytest.mark.parametrize("unit", ["sentences"])
def test_sentences_are_judged_when_they_are_whole(unit: str) -> None:
    judging = remote(flagged_by("bad"), window=Window(unit, 1, 8))
    client = waiting(desk(judging))

    assert client.next(delta("One is. Two")) == b""
    assert client.next(delta(" is. ")) != b""
