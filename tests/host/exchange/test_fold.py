"""Header changes fold into the smallest mutation that Envoy applies to the same effect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.headers import Headers, value_bytes, value_text
from headrace.host.exchange.fold import HOP_BY_HOP, ChangeRefused, Overlay, checked
from headrace.host.testing.lane import mutated

NAMES = st.sampled_from(["a", "b", "c", "x-long-name"])
VALUES = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=8)
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=6)
CHANGES = st.lists(
    st.tuples(
        st.dictionaries(NAMES, VALUES, max_size=2),
        PAIRS.map(tuple),
        st.lists(NAMES, max_size=2).map(tuple),
    ),
    max_size=4,
)


@given(PAIRS, CHANGES)
def test_envoy_applying_the_mutation_gives_what_the_overlay_shows(
    pairs: list[tuple[str, str]],
    changes: list[tuple[dict[str, str], tuple[tuple[str, str], ...], tuple[str, ...]]],
) -> None:
    overlay = Overlay(Headers(pairs))
    for sets, appends, removes in changes:
        overlay.change(sets, appends, removes)
    applied = mutated(Headers(pairs), overlay.mutation())

    for header in ("a", "b", "c", "x-long-name"):
        assert applied.all(header) == overlay.headers().all(header)


@given(PAIRS)
def test_no_change_is_no_mutation(pairs: list[tuple[str, str]]) -> None:
    overlay = Overlay(Headers(pairs))
    for header, value in pairs:
        if len(Headers(pairs).all(header)) == 1:
            overlay.change({header: value})

    assert not overlay.mutation()


@pytest.mark.parametrize(
    ("header", "value"),
    [
        *((refused, "x") for refused in sorted(HOP_BY_HOP)),
        (":path", "/"),
        ("x-envoy-retry-on", "5xx"),
        ("", "x"),
        ("a b", "x"),
        ("gr\u00fc\u00df", "x"),
        ("x-ok", "a\rb"),
        ("x-ok", "a\nb"),
        ("x-ok", "a\0b"),
    ],
)
def test_what_must_not_reach_the_wire_is_refused(header: str, value: str) -> None:
    with pytest.raises(ChangeRefused) as refusal:
        checked(header, value)

    assert not value or value == "x" or value not in str(refusal.value)


def test_a_refused_change_changes_nothing() -> None:
    overlay = Overlay(Headers([("a", "1")]))
    with pytest.raises(ChangeRefused):
        overlay.change({"b": "2"}, (("connection", "close"),), ("a",))

    assert overlay.headers() == Headers([("a", "1")])


def test_upper_case_names_are_lowered() -> None:
    overlay = Overlay(Headers())
    overlay.change({"X-Big": "1"})

    assert overlay.mutation().set_headers == (("x-big", "1", False),)


@given(st.binary())
def test_any_header_value_survives_as_text(raw: bytes) -> None:
    assert value_bytes(value_text(raw)) == raw
