"""What one role says to the next is believed as it was signed, and not otherwise."""

from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.handover import TOKEN_CHARS_MAX, Handed, Seal, handed
from headrace.extensions.picker.affinity import Tokens
from headrace.extensions.values import Route

SEAL = Seal(b"k" * 32)
NAMES = st.text(st.characters(exclude_categories=("Cs",)), max_size=64)
ROUTES = st.builds(
    Route,
    model=NAMES,
    pool=NAMES,
    target=NAMES,
    adapter=NAMES,
    priority=st.integers(-(2**31), 2**31 - 1),
    profile=NAMES,
    kind=NAMES,
    share_bucket=st.floats(0.0, 1.0, exclude_max=True),
    session=st.none() | NAMES,
)
SAID = handed("r-1", "chatbot", Route("chatbot", "gemma", "google/gemma"))


@given(NAMES, NAMES, ROUTES, st.tuples(NAMES, NAMES))
def test_what_was_signed_is_read_as_it_was(
    id: str, asked: str, route: Route, more: tuple[str, str]
) -> None:
    said = SEAL.read(id, SEAL.sign(handed(id, asked, route, *more)))

    assert said is not None
    assert (said.asked, said.mirror, said.base, said.route()) == (asked, *more, route)


@given(st.integers(0, 500), st.characters(codec="ascii"))
def test_a_token_with_another_character_is_none_of_ours(at: int, other: str) -> None:
    token = SEAL.sign(SAID)
    at %= len(token)
    changed = token[:at] + other + token[at + 1 :]

    assert (SEAL.read("r-1", changed) is None) == (not changed.startswith(token.rstrip("=")))


@given(st.text(max_size=200))
def test_no_text_of_a_client_is_believed(text: str) -> None:
    assert SEAL.read("r-1", text) is None


def test_a_token_is_for_one_request_one_key_and_one_purpose() -> None:
    token = SEAL.sign(SAID)

    assert SEAL.read("r-1", token) == SAID
    assert SEAL.read("r-2", token) is None
    assert Seal(b"other").read("r-1", token) is None
    assert SEAL.read("r-1", Tokens(SEAL.key).sign("gemma", "10.0.0.1:8000")) is None


def test_what_is_too_long_for_a_header_is_not_handed_on() -> None:
    long = Handed("r-1", "a" * TOKEN_CHARS_MAX, "m", "p", "t")

    assert SEAL.sign(long) == ""
    assert SEAL.read("r-1", "a" * (TOKEN_CHARS_MAX + 1)) is None


def test_a_request_of_octets_that_are_no_text_is_not_handed_on() -> None:
    assert SEAL.sign(handed("r-\udcff", "m", Route("m", "gemma", "m"))) == ""
    assert SEAL.sign(handed("r-1", "m", Route("m", "gemma", "m", session="\udcff"))) == ""
