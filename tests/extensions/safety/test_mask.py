import json
import re
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.extensions.safety.contract import Hit
from headrace.extensions.safety.deny import deny_list
from headrace.extensions.safety.detect import NAMES, detector
from headrace.extensions.safety.escapes import unescaped
from headrace.extensions.safety.local import joined
from headrace.extensions.safety.mask import Restorer, Vault, VaultFull
from tests.extensions.safety.valid import VALID

SECRET = "Project Bluebird"
EVERY = joined([detector(NAMES), deny_list([SECRET])])
VALUES = st.one_of(*(make() for make in VALID.values()), st.just(SECRET))
PLACEHOLDER = re.compile("<[A-Z0-9_]+>")
PROSE = st.sampled_from(
    [
        "",
        "hello",
        "\u4f60\u597d",
        "a < b",
        "<EMAIL_1>",
        "<EMAIL_2>",
        "<CARD_1",
        "<",
        "<email_1>",
        "\\u003c",
        'say "hi"',
        "caf\xe9\n",
        "\\",
        "<IP_1>>",
        "{}",
        "\U0001f680",
    ]
)
PLANTED = st.lists(st.tuples(PROSE, VALUES), max_size=3)


class Turn(NamedTuple):
    """What the user writes, and the values that it has."""

    text: str
    values: tuple[str, ...]


def turn_of(planted: list[tuple[str, str]]) -> Turn:
    text = " ".join(f"{prose} {value} ," for prose, value in planted) or "nothing"
    return Turn(text, tuple(value.removeprefix("phone: ") for _, value in planted))


TURNS = st.lists(PLANTED.map(turn_of), min_size=1, max_size=4)


def masked(vault: Vault, text: str) -> str:
    return vault.mask(text, EVERY.found(text))


def masked_json(vault: Vault, source: str) -> str:
    view = unescaped(source)
    hits = [
        Hit(one.what, 0, view.source(one.start), view.source(one.end))
        for one in EVERY.found(view.text)
    ]
    return vault.mask(source, hits, json=True)


def chunks(text: str, sizes: list[int]) -> list[str]:
    parts, at = list[str](), 0
    for size in sizes:
        parts.append(text[at : at + size])
        at += size
    return [*parts, text[at:]]


def streamed(vault: Vault, text: str, sizes: list[int], json: bool = False) -> str:
    restorer = Restorer(vault, json)
    return "".join(restorer.push(chunk) for chunk in chunks(text, sizes)) + restorer.finish()


def restored(vault: Vault, text: str) -> str:
    known = {one: vault.value(one) or "" for one in vault.placeholders()}
    return PLACEHOLDER.sub(lambda place: known.get(place[0], place[0]), text)


SIZES = st.lists(st.integers(0, 9), max_size=80)


@settings(deadline=None)
@given(turns=TURNS, sizes=SIZES, ascii=st.booleans(), data=st.data())
def test_no_value_goes_upstream_and_every_one_comes_back(
    turns: list[Turn], sizes: list[int], ascii: bool, data: st.DataObject
) -> None:
    said = list[str]()
    for turn in turns:
        said.append(turn.text)
        arguments = json.dumps({"to": list(said), 'a "key"': 1}, ensure_ascii=ascii)
        vault = Vault([*said, arguments])
        sent = [masked(vault, text) for text in said]
        sent_arguments = masked_json(vault, arguments)
        answer = "".join(data.draw(st.lists(st.sampled_from([*sent, "<EMAIL_77>", "<", "ok"]))))

        upstream = "\n".join([*sent, json.loads(sent_arguments)["to"][-1]])
        assert not [value for value in turn.values if value in upstream]
        assert [streamed(vault, text, sizes) for text in sent] == said
        back = streamed(vault, sent_arguments, sizes, json=True)
        assert json.loads(back) == json.loads(arguments)
        expected = restored(vault, answer)
        assert streamed(vault, answer, sizes) == expected
        said.append(expected)


def hits(text: str, *parts: str, what: str = "email") -> list[Hit]:
    return [Hit(what, 0, text.index(part), text.index(part) + len(part)) for part in parts]


def test_a_value_has_one_placeholder_and_a_kind_counts_for_itself() -> None:
    vault = Vault()
    text = "a@x.org b@x.org a@x.org 4111111111111111"

    assert masked(vault, text) == "<EMAIL_1> <EMAIL_2> <EMAIL_1> <CARD_1>"
    assert masked(vault, "again b@x.org") == "again <EMAIL_2>"
    assert vault.restore("<CARD_1>, <EMAIL_2>") == "4111111111111111, b@x.org"


def test_the_next_turn_of_a_conversation_has_the_same_placeholders() -> None:
    turns = ["mail a@x.org", "sent to a@x.org", "now b@x.org"]
    first, second = Vault(turns[:1]), Vault(turns)

    assert [masked(first, text) for text in turns[:1]] == ["mail <EMAIL_1>"]
    assert [masked(second, text) for text in turns] == [
        "mail <EMAIL_1>",
        "sent to <EMAIL_1>",
        "now <EMAIL_2>",
    ]


@pytest.mark.parametrize(
    "written", ["<EMAIL_1>", "<email_01>", "EMAIL_1", "\\u003cEMAIL_1\\u003e", "\\u003CEMAIL_1>"]
)
def test_who_writes_a_placeholder_gets_nobodys_value(written: str) -> None:
    vault = Vault([f"print {written}", "a@x.org"])
    sent = masked(vault, "a@x.org")

    assert sent == "<EMAIL_2>"
    assert vault.restore(f"{written} <EMAIL_1> {sent}") == f"{written} <EMAIL_1> a@x.org"


def test_a_placeholder_counts_to_the_letter() -> None:
    vault = Vault()
    masked(vault, "a@x.org")
    answer = "<email_1> EMAIL_1 <EMAIL_1 <EMAIL_11> < EMAIL_1> &lt;EMAIL_1&gt; <<EMAIL_1>>"

    assert vault.restore(answer) == answer.replace("<<EMAIL_1>>", "<a@x.org>")


def test_what_cannot_become_a_placeholder_is_not_held_back() -> None:
    vault = Vault()
    masked(vault, "a@x.org")
    restorer = Restorer(vault)
    pieces = ["a < b <", "E", "MAIL_", "2> <EMAIL", "_1", "> <EMA", "x"]

    assert [restorer.push(piece) for piece in pieces] == [
        "a < b ",
        "",
        "",
        "<EMAIL_2> ",
        "",
        "a@x.org ",
        "<EMAx",
    ]
    assert restorer.push("end <EMAIL_1") == "end "
    assert (restorer.finish(), restorer.finish()) == ("<EMAIL_1", "")


def test_a_value_is_not_searched_for_placeholders() -> None:
    vault = Vault()
    text = "<EMAIL_1 and >"
    sent = vault.mask(text, hits(text, "<EMAIL_1", ">", what="odd"))

    assert sent == "<ODD_1> and <ODD_2>"
    assert streamed(vault, sent, [1] * len(sent)) == text


def test_a_vault_that_is_full_takes_no_more_values_and_says_so() -> None:
    vault = Vault(values_max=2)
    masked(vault, "a@x.org b@x.org a@x.org")

    with pytest.raises(VaultFull, match="more than 2 different values"):
        masked(vault, "c@x.org")
    assert masked(vault, "b@x.org") == "<EMAIL_2>"


def test_neither_a_vault_nor_a_restorer_shows_a_value() -> None:
    vault = Vault(["a@x.org"])
    masked(vault, "a@x.org")
    restorer = Restorer(vault)
    restorer.push("a@x.org <")

    assert (repr(vault), repr(restorer)) == ("Vault(1 values)", "Restorer(1 characters held)")


@pytest.mark.parametrize(
    ("what", "word"),
    [
        ("us_ssn", "US_SSN"),
        ("pattern 0", "PATTERN_0"),
        ("Hate/Threat", "HATE_THREAT"),
        ("7up", "VALUE"),
        ("\u4f60", "VALUE"),
        ("", "VALUE"),
        ("a" * 99, "A" * 40),
    ],
)
def test_a_placeholder_is_called_what_was_found(what: str, word: str) -> None:
    assert Vault().mask("x", [Hit(what, 0, 0, 1)]) == f"<{word}_1>"


def test_a_hit_without_places_is_the_whole_text_and_overlapping_ones_are_one() -> None:
    assert Vault().mask("secret", [Hit("all")]) == "<ALL_1>"
    assert Vault().mask("abcdef", [Hit("x", 0, 0, 3), Hit("y", 0, 2, 6)]) == "<Y_1>"


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        ('{"to": "a@x.org"}', '{"to": "<EMAIL_1>"}'),
        ('{"n": 4111111111111111, "x": 1}', '{"n": "<CARD_1>", "x": 1}'),
        ('{"n":4111111111111111}', '{"n":"<CARD_1>"}'),
        ('{"t": "hi\\na@x.org\\n"}', '{"t": "hi\\n<EMAIL_1>\\n"}'),
        ('{"t": "jos\\u00e9@x.org"}', '{"t": "<EMAIL_1>"}'),
        ('{"t": "a\\u0040x.org"}', '{"t": "<EMAIL_1>"}'),
        ('{"a@x.org": null}', '{"<EMAIL_1>": null}'),
        ('{"t": "\\"a@x.org\\""}', '{"t": "\\"<EMAIL_1>\\""}'),
        ('{"t": "half a@x.org', '{"t": "half <EMAIL_1>'),
    ],
)
def test_arguments_of_a_tool_stay_json(source: str, sent: str) -> None:
    vault = Vault()

    assert masked_json(vault, source) == sent
    assert vault.value("<EMAIL_1>" if "EMAIL" in sent else "<CARD_1>") in (
        "a@x.org",
        "jos\xe9@x.org",
        "4111111111111111",
    )


@pytest.mark.parametrize(
    ("source", "start", "end", "sent"),
    [
        ('{"a\\nb": 1}', 4, 6, '{"a\\n<X_1>": 1}'),  # begins inside an escape
        ('{"a\\u00e9b": 1}', 2, 5, '{"<X_1>b": 1}'),  # ends inside one
        ('{"ab": "cd", "e": 1}', 3, 10, '{"a<X_1>": "<X_2>", "e": 1}'),  # two strings
        ('{"ab": -1.5e3}', 8, 9, '{"ab": "<X_1>"}'),  # a part of a number
        ('{"ab": ""}', 3, 9, '{"a<X_1>": ""}'),
    ],
)
def test_a_hit_that_cuts_the_grammar_leaves_json(
    source: str, start: int, end: int, sent: str
) -> None:
    assert Vault().mask(source, [Hit("x", 0, start, end)], json=True) == sent
    json.loads(sent)


def test_a_value_comes_back_escaped_in_json_however_the_brackets_are_written() -> None:
    vault = Vault()
    vault.mask('a"b\\c\n', [Hit("x")])

    for written in ("<X_1>", "\\u003cX_1\\u003e", "\\u003CX_1>"):
        source = f'{{"t": "{written}"}}'
        for size in (1, 2, 5):
            back = streamed(vault, source, [size] * len(source), json=True)
            assert json.loads(back) == {"t": 'a"b\\c\n'}
    assert vault.restore('"\\\\u003cX_1>"', json=True) == '"\\\\u003cX_1>"'


@given(text=st.text(), sizes=SIZES, ascii=st.booleans())
def test_a_source_means_what_json_reads(text: str, sizes: list[int], ascii: bool) -> None:
    text = text.encode(errors="replace").decode()
    source = json.dumps(text, ensure_ascii=ascii)
    view = unescaped(source)

    assert view.text == f'"{text}"'
    assert view.open_from == len(source)
    for at in range(len(text)):
        part = source[view.source(at + 1) : view.source(at + 2)]
        assert json.loads(f'"{part}"') == text[at]
    vault = Vault()
    vault.mask("x", [Hit("x")])
    assert streamed(vault, source, sizes, json=True) == source
