import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.providers import DETECTORS
from headrace.extensions.call import Text
from headrace.extensions.safety.contract import Asked, Direction, Hit, Local
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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("card", "4111111111111112"),  # Luhn
        ("card", "0.4111111111111111 and 4111111111111111.5"),  # numbers with a point
        ("card", "1234567812345670 9111111111111111"),  # of no brand
        ("card", "x4111111111111111 4111111111111111f 94111111111111111"),  # a part of something
        ("card", "4111 1111 1111 111 41111111 11111111"),
        ("card", "550e8400-e29b-41d4-a716-446655440000"),
        ("iban", "DE88 3704 0044 0532 0130 00"),  # remainder
        ("iban", "DE89 3704 0044 0532 0130 0"),  # length
        ("iban", "XX89370400440532013000 DE89370400440532013000X"),
        ("us_ssn", "000-12-3456 666-12-3456 900-12-3456 123-00-4567 123-45-0000"),
        ("us_ssn", "078-05-1120 219-09-9999"),
        ("us_ssn", "123456789 1-123-45-6789 123-45-6789-1 123-45 6789"),
        ("api_key", "sk-loader-something-long-class-name task-12345678901234567890"),
        ("api_key", "token: my-super-secret-token-1 password: correct-horse-battery-staple"),
        ("api_key", "the token count is 12345678901234567890"),
        ("email", "@ a@ @b.com a@b a@b.c a@localhost @user.name"),
        ("email", "x" * 65 + "@example.com"),
        ("phone", "01.02.2024 10:30, 2024-01-02 11:12, 31-12-1999"),
        ("phone", "+1 23456 +5000000 +0123456789 12345678901234567890"),
        ("phone", "123-45-6789 192.168.100.1000 3.14159265358979"),
        ("ip", "1.2.3 256.1.1.1 1.2.3.4.5 01.02.03.04 v1.2.3.4"),
        ("ip", "10:11:12 00:1a:2b:3c:4d:5e std::vector a::b ::"),
        ("private_key", "The header -----BEGIN PRIVATE KEY----- is followed by its lines"),
        ("private_key", "-----BEGIN PUBLIC KEY-----\n" + "A" * 64),
        ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.short eyJhbGciOiJIUzI1NiJ9.x"),
        ("jwt", "eyJfoobar.eyJzdWIiOiIx." + "A" * 40),  # a header that is no JSON
        ("jwt", "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiIx." + "A" * 40),  # one that names no algorithm
    ],
)
def test_what_only_looks_like_it_is_not_found(name: str, text: str) -> None:
    assert texts_of(ONE[name], text) == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("card", "4111 1111 1111 1111 12 27", ["4111 1111 1111 1111"]),
        ("card", "1234 4111-1111-1111-1111", ["4111-1111-1111-1111"]),
        ("card", "\uff14\uff11\uff11\uff11" + "1" * 12, ["\uff14\uff11\uff11\uff11" + "1" * 12]),
        ("iban", "DE89 3704 0044 0532 0130 00 and", ["DE89 3704 0044 0532 0130 00"]),
        ("us_ssn", "SSN: 123456789, social security number is 123456789", ["123456789"] * 2),
        (
            "api_key",
            "see https://hooks.slack.com/services/" + "T0/B0/" * 8,
            ["hooks.slack.com/services/" + ("T0/B0/" * 8).rstrip("/")],
        ),
        ("api_key", 'OPENAI_API_KEY="Zx8mQ2pL9vR4tY7w"', ["Zx8mQ2pL9vR4tY7w"]),
        ("api_key", "token=Zx8mQ2pL9vR4tY7w", ["Zx8mQ2pL9vR4tY7w"]),
        ("api_key", "Authorization: Bearer Zx8mQ2pL9vR4tY7w.", ["Zx8mQ2pL9vR4tY7w"]),
        (
            "email",
            "'bob@x.org', <a.b@mail.x.org>. Ask c@d.com.Then",
            ["bob@x.org", "a.b@mail.x.org", "c@d.com.Then"],
        ),
        ("email", "c@d.com.I think a@b@c.de", ["c@d.com", "b@c.de"]),
        ("phone", "call (415-555-2671) or 1-415-555-2671", ["415-555-2671", "1-415-555-2671"]),
        ("phone", "+49 (0)30 123456, 0049 30 123456", ["+49 (0)30 123456", "0049 30 123456"]),
        (
            "ip",
            "http://10.0.0.1:80/ [::ffff:1.2.3.4]:80 fe80::1.",
            ["10.0.0.1", "::ffff:1.2.3.4", "fe80::1"],
        ),
        (
            "private_key",
            "-----BEGIN PRIVATE KEY-----\\n" + "A" * 64 + "\\nAb=",
            ["-----BEGIN PRIVATE KEY-----\\n" + "A" * 64],
        ),
        ("jwt", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIx. and", ["eyJhbGciOiJub25lIn0.eyJzdWIiOiIx"]),
    ],
)
def test_what_is_meant_is_found_and_no_more(name: str, text: str, found: list[str]) -> None:
    assert texts_of(ONE[name], text) == found


REALISTIC = """\
The meeting on 2024-03-15 at 10:30 is moved to 16.03.2024, room 4-12; 25 people, 3,500 EUR each.
Version 2.14.3 of numpy==1.26.4 needs python>=3.11; build 20240315.1 took 1234.5678 s.
Commit 3f786850e387550fdab836ed7e6dc881de23001b fixed issue #48213 in pull request 51987.
uuid 123e4567-e89b-12d3-a456-426614174000, sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c
pi is 3.141592653589793 and e is 2.718281828459045; 1700000000123 is a time in milliseconds.
ISBN 978-3-16-148410-0, EAN 5901234123457, flight LH 1234, train ICE 597, Form 1040, RFC 5321.
for (int i = 0; i < 100; ++i) { std::vector<int> v; obj->next::call(a::b); }
.sk-button-group-large { margin: 0 12px; } @media (min-width: 1024px) { color: #ff00ff; }
The secret of a good password is its length: use a passphrase of many words.
export PATH=/usr/local/bin:/usr/bin; tokens: 4096; max_tokens = 2048; temperature: 0.7
Call me Ishmael. Some years ago, never mind how long precisely, having little money.
| 2019 | 2020 | 2021 | 2022 |\\n| 1,204 | 1,310 | 1,422 | 1,518 | 55 000 000 |
Dial 112 or 911. The score was 21-14, 10-21, 21-19. Lottery: 3 14 22 27 41 48.
base64 aGVsbG8gd29ybGQ= and @decorator, @property, user@host, git@github
"""


@pytest.mark.parametrize("line", REALISTIC.splitlines())
def test_usual_texts_have_nothing_to_find(line: str) -> None:
    assert EVERY.found(line) == ()


@pytest.mark.parametrize(
    "seed",
    [
        "a",
        "4111 1111 1111 1112 ",
        "DE89 ",
        "a@b",
        "0171 ",
        "eyJ-",
        "eyJhbGci.eyJ.",
        "sk-",
        "token=",
        "-----BEGIN PRIVATE KEY-----\nabc: ",
        ":",
        "1.1.1.1.",
        "123-45-6789-",
        "a@b.com ",
        "\u200b",
        "project ",
    ],
)
def test_time_grows_with_the_text_and_no_faster(seed: str) -> None:
    def took_s(size: int) -> float:
        text = (seed * (size // len(seed) + 1))[:size]
        begun_s = time.process_time()
        EVERY.screen(Asked(Direction.PROMPT, (Text("user", text),)))
        EVERY.partial_start(text)
        return time.process_time() - begun_s

    took_s(1000)

    assert took_s(400_000) < 10 * took_s(80_000) + 0.04


def test_a_text_with_too_many_candidates_is_screened_in_part_and_says_so() -> None:
    asked = Asked(Direction.PROMPT, (Text("user", "1.1.1.1 " * 30_000), Text("user", "a@x.org")))
    verdict = EVERY.screen(asked)

    assert verdict.partial == "a text has more than 20000 that may be a ip"
    assert verdict.hits == (Hit("email", 1, 0, 7),)


def test_what_cannot_go_on_is_settled_at_once() -> None:
    settled_texts = [
        "hello, ",
        "I wrote a@b.com, ",
        "4111 1111 1111 1111! ",
        "10.0.0.1) ",
        "\u4f60\u597d",
    ]

    assert [EVERY.partial_start(text) for text in settled_texts] == [len(t) for t in settled_texts]
    assert EVERY.partial_start("my mail is jo") == len("my mail is ")
    assert EVERY.partial_start("the projects of project  blue") == len("the projects of ")


def test_a_long_token_is_held_back_no_further_than_what_it_may_be_is_wide() -> None:
    assert len("x" * 50_000) - ONE["email"].partial_start("x" * 50_000) == 64 + 1 + 255 + LOOK_BACK
    assert 50_000 - EVERY.partial_start("x" * 50_000) < 400
