"""Several guards, the real readers, and events of any kind: nothing breaks, nothing is lost."""

from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from headrace.dsl.guarding import OnMatch, OnTrouble, Streamed, Window
from headrace.extensions.reasons import Reason
from headrace.extensions.safety.assembly import READS
from headrace.extensions.safety.contract import Reach
from headrace.extensions.safety.desk import Desk
from headrace.extensions.safety.post import Post
from headrace.extensions.stage import ResponseEvent
from headrace.extensions.texts.copies import NAMES
from tests.extensions.safety.doubles import flagged_by, found_by, remote, words
from tests.extensions.safety.streaming import delta, done, finish, said, streamed

BAD = "bad"
ANSWERS = frozenset(("response",))
TEXT = st.text(alphabet="abd .\n\N{SNOWMAN}\N{GRINNING FACE}", max_size=30)
KEYS = st.sampled_from(
    ["choices", "index", "delta", "content", "reasoning_content", "error", "id", "tool_calls", "x"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def strange(data: bytes) -> ResponseEvent:
    return ResponseEvent(b"data: " + data + b"\n\n", data, True)


EVENTS = st.one_of(
    st.builds(delta, TEXT, st.integers(0, 2), st.sampled_from(["content", "reasoning_content"])),
    st.builds(finish, st.integers(0, 2)),
    # A text that is all of the data is where nothing can be put, so it is blocked.
    JSON.filter(lambda value: not isinstance(value, str)).map(
        lambda value: strange(msgspec.json.encode(value))
    ),
    st.binary(max_size=20).filter(lambda data: not {10, 13} & set(data)).map(strange),
    st.just(ResponseEvent(b": ping\n\n", b"", True)),
)


def guards(on_match: OnMatch, window: Window) -> tuple[Post, ...]:
    # Any: whatever a Guard has.
    lenient: dict[str, Any] = {
        "inspect": ANSWERS,
        "on_unreadable": OnTrouble.ALLOW,
        "window": window,
    }
    watch = Streamed.OBSERVE
    return (
        words("local", BAD, on_match=on_match, **lenient),
        remote(found_by(BAD), "located", Reach(locates=True), on_match=on_match, **lenient),
        remote(flagged_by("never"), "flagged", **lenient),
        remote(flagged_by("never"), "watched", streamed=watch, **lenient),
    )


WINDOWS = st.integers(9, 30).map(lambda size: Window("characters", size, 8))


@given(st.lists(EVENTS, max_size=12), WINDOWS)
@example([strange(b'{"choices":[{"delta":{"content":"\\ud800"}}]}')], Window("characters", 9, 8))
def test_guards_that_only_log_change_no_byte_whatever_comes(
    events: list[ResponseEvent], window: Window
) -> None:
    client = streamed(Desk(guards(OnMatch.LOG, window), READS), [*events, done()])

    assert client.rejected is None
    assert client.all == b"".join(one.raw for one in [*events, done()])


@given(st.lists(EVENTS, max_size=12), WINDOWS)
def test_guards_that_redact_leave_nothing_of_what_they_find_in_any_text(
    events: list[ResponseEvent], window: Window
) -> None:
    client = streamed(Desk(guards(OnMatch.REDACT, window), READS), [*events, done()])

    if client.rejected is None:
        assert client.all.endswith(done().raw)
        assert client.all.count(b"\n\n") == len(events) + 1
    else:  # it stands where nothing can be put
        assert client.rejected.reason is Reason.RESPONSE_UNREADABLE
    for choice in range(3):
        assert BAD not in said_by(client.all, choice)


def said_by(raw: bytes, choice: int) -> str:
    """Return the content of a choice, of the events that are usual ones."""
    usual = [
        part + b"\n\n" for part in raw.split(b"\n\n") if part.startswith(b'data: {"choices":[{"in')
    ]
    return said(b"".join(usual), choice)


def test_what_repeats_a_text_where_no_guard_sees_it_goes_under_a_guard_that_acts() -> None:
    value = {
        "choices": [
            {
                "index": 0,
                "delta": {"content": "so bad"},
                "logprobs": {"content": [{"token": "bad"}]},
            }
        ]
    }
    post = words("g", BAD, on_match=OnMatch.REDACT, inspect=ANSWERS)
    client = streamed(Desk((post,), READS), [strange(msgspec.json.encode(value)), done()])

    assert "logprobs" in NAMES
    assert BAD.encode() not in client.all
    assert b'"logprobs":null' in client.all
