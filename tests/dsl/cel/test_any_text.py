"""Whatever the text, compiling refuses or succeeds, and evaluating gives a value or a Fault."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.cel import CelError, Fault, compile
from tests.dsl.cel.expressions import ANY, VALUES

PIECES = st.sampled_from(
    [
        "1", "1u", "2.5", "'a'", "b'a'", "x", ".x", "x.y", "[", "]", "{", "}", "(", ")", "?", ":",
        ",", ".", "+", "-", "*", "/", "%", "!", "&&", "||", "==", "<", "in", "has(", "all(x, ",
        "map(x, ", "exists(", "optMap(y, ", "cel.bind(z, ", "size(", "null", "true", "[?", ".?",
        "`a`", "r'", '"""', "\\", "//", "\n", "timestamp(", "duration('1s')", "1e400", "0x", "if",
        "é", "\x00", "\ud800", "9223372036854775808", "type(", "dyn(", "@", "#", "5s", "80%",
    ]
)  # fmt: skip
MIXED = st.lists(st.one_of(PIECES, ANY, st.text(max_size=3)), max_size=12).map(" ".join)


@settings(max_examples=120, deadline=None)
@given(text=st.one_of(st.text(max_size=60), MIXED), checked=st.booleans())
def test_any_text_is_refused_or_compiled(text: str, checked: bool) -> None:
    with suppress(CelError):
        compile(text, checked=checked)


@settings(max_examples=100, deadline=None)
@given(text=ANY, values=VALUES, data=st.data())
def test_any_values_give_a_value_or_a_fault(
    text: str, values: dict[str, object], data: st.DataObject
) -> None:
    """Variables of any type, unchecked: nothing but a Fault comes out of it."""
    names = sorted(values)
    shuffled = dict(zip(names, data.draw(st.permutations([values[n] for n in names])), strict=True))
    with suppress(Fault):
        compile(text, checked=False).evaluate(shuffled)
