"""Texts that Model Armor is sent together, and what becomes of what is found in them."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from headrace.dsl.guarding import OnMatch
from headrace.extensions.safety.contract import Hit, Http, Kind, Trouble, Verdict
from headrace.extensions.safety.providers import remote
from headrace.extensions.safety.providers.model_armor import CHARS_MAX, packed
from tests.extensions.safety.providers.talk import body_of, ok, prompt, talked
from tests.extensions.safety.providers.test_model_armor import OF, finding, matched, result, sdp


@given(texts=st.lists(st.text("ab", max_size=12), max_size=12))
def test_packs_hold_all_texts_in_order_and_are_no_longer_than_they_may(texts: list[str]) -> None:
    packs = packed(texts, 20)

    assert [text for pack in packs for text in pack.texts] == texts
    assert [pack.first for pack in packs] == [
        sum(len(before.texts) for before in packs[:number]) for number in range(len(packs))
    ]
    assert all(len(pack.joined) <= 20 for pack in packs)
    assert all(len(left.joined) + 2 + len(right.texts[0]) > 20 for left, right in pairwise(packs))


def test_texts_that_fit_are_sent_together() -> None:
    said, sent = talked(OF, prompt("one", "two"), ok(result("NO_MATCH_FOUND", "PARTIAL")))

    assert body_of(sent[0]) == {"userPromptData": {"text": "one\n\ntwo"}}
    assert said == Verdict(partial="invocation result PARTIAL")


def test_what_is_found_together_is_told_without_a_place_if_it_is_blocked() -> None:
    found = sdp(finding("A", codepointRange={"end": "1"}), finding("A"))
    said, sent = talked(OF, prompt("one", "two"), ok(result(sdp=found, metadata={"errorCode": 3})))

    assert (said, len(sent)) == (Verdict((Hit("sdp/A"),), code="3"), 1)


REDACTS = replace(OF, on_match=OnMatch.REDACT)
FOUND = ok(result(csam={"csamFilterFilterResult": matched()}))
CLEAR = ok(result("NO_MATCH_FOUND"))


def test_what_is_found_together_is_asked_apart_if_texts_will_be_changed() -> None:
    said, sent = talked(REDACTS, prompt("one", "two"), FOUND, CLEAR, FOUND)

    assert said == Verdict((Hit("csam", 1),))
    assert [body_of(call)["userPromptData"]["text"] for call in sent[1:]] == ["one", "two"]


def test_what_no_text_has_alone_keeps_no_place() -> None:
    assert talked(REDACTS, prompt("one", "two"), FOUND, CLEAR, CLEAR)[0] == Verdict((Hit("csam"),))


def test_trouble_in_telling_apart_is_trouble() -> None:
    late = Trouble(Kind.TIMEOUT, "late")

    assert talked(REDACTS, prompt("one", "two"), FOUND, CLEAR, late)[0] == late


def test_it_says_where_so_that_it_can_redact() -> None:
    provider = remote(OF)

    assert provider.reach.locates
    assert provider.reach.chars_max == CHARS_MAX
    assert isinstance(talked(OF, prompt("x"), CLEAR)[1][0], Http)
