from dataclasses import dataclass, field
from enum import Enum

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.records import Routing, ShareOf, Verdict
from headrace.host.telemetry.describe import ITEMS_MAX, TEXT_CHARS_MAX, describe, kind_of


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Inner:
    a: int
    hidden: str = field(default="secret", repr=False)


@dataclass(frozen=True, slots=True)
class Everything:
    text: str = "x"
    number: float = 0.5
    flag: bool = True
    nothing: str | None = None
    colour: Colour = Colour.RED
    inner: Inner = field(default_factory=lambda: Inner(1))
    names: tuple[str, ...] = ("a", "b")
    counts: tuple[int, ...] = (1, 2)
    mixed: tuple[object, ...] = (1, "a", None)
    inners: tuple[Inner, ...] = (Inner(2),)
    empty: tuple[str, ...] = ()
    by_name: dict[str, Inner] = field(default_factory=lambda: {"k": Inner(3)})
    opaque: object = field(default_factory=object)
    hidden: str = field(default="secret", repr=False)


class Shown(msgspec.Struct, frozen=True):
    a: int = 1
    inner: Inner = msgspec.field(default_factory=lambda: Inner(2))


class Hiding(msgspec.Struct, frozen=True):
    secret: str = "secret"

    def __repr__(self) -> str:
        return "Hiding()"


class Tells:
    def as_json(self) -> dict[str, object]:
        return {"a": 1, "b": {"c": "d"}, "e": [{"f": None}]}


def test_any_record_is_told_field_by_field() -> None:
    assert describe(Everything()) == {
        "text": "x",
        "number": 0.5,
        "flag": True,
        "colour": "red",
        "inner.a": 1,
        "names": ["a", "b"],
        "counts": [1, 2],
        "mixed": ["1", "a", "null"],
        "inners": ['{"a":2}'],
        "by_name.k.a": 3,
        "opaque": "object",
    }


def test_of_a_struct_what_its_repr_shows_is_told() -> None:
    assert describe(Shown()) == {"a": 1, "inner.a": 2}
    assert describe(Hiding()) == {}
    assert describe(Everything(opaque=Hiding()))["opaque"] == "Hiding"


def test_a_record_that_tells_itself_is_listened_to() -> None:
    assert describe(Tells()) == {"a": 1, "b.c": "d", "e": ['{"f":null}']}


@pytest.mark.parametrize("record", [None, 5, "text", object(), Everything])
def test_what_is_no_record_says_nothing(record: object) -> None:
    assert describe(record) == {}


def test_the_stages_records_are_told() -> None:
    shares = (ShareOf("p", 0.9), ShareOf("q", 0.1))
    routing = Routing("a", "m", "p", "t", "", -1, "default", ("c",), 0.5, shares)
    told = describe(routing)

    assert told["shares"] == ['{"pool":"p","share":0.9}', '{"pool":"q","share":0.1}']
    assert told["priority"] == -1
    assert describe(Verdict("g", "pattern 0", "log"))["finding"] == "pattern 0"


@pytest.mark.parametrize(("record", "kind"), [(Verdict("", "", ""), "verdict"), (Tells(), "tells")])
def test_the_kind_is_a_word(record: object, kind: str) -> None:
    assert kind_of(record) == kind


@given(st.text(), st.lists(st.text() | st.integers() | st.floats() | st.none(), max_size=5))
def test_whatever_a_record_holds_becomes_attributes(text: str, items: list[object]) -> None:
    told = describe(Everything(text=text, mixed=tuple(items)))

    for value in told.values():
        assert isinstance(value, str | bool | int | float | list)
    assert len(str(told.get("text", "")).encode()) <= 10 * TEXT_CHARS_MAX


def test_long_lists_and_texts_are_cut() -> None:
    told = describe(Everything(text="x" * 10_000, names=("a",) * 10_000))

    assert told["text"] == "x" * TEXT_CHARS_MAX + "..."
    assert told["names"] == ["a"] * ITEMS_MAX
