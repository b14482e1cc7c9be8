"""Random conditions over a few names, and random states to evaluate them on."""

from collections.abc import Mapping

from hypothesis import strategies as st

from headrace.dsl.lints.witness import Value, evaluator
from tests.dsl.facts import checked

_NUMBERS = ("endpoint.queue", "endpoint.running", "request.priority", "request.prompt_tokens")
_SUMS = (
    *_NUMBERS[:2],
    "endpoint.queue + endpoint.running",
    "endpoint.queue - 3",
    "-endpoint.queue",
)
_ZONES = ('"a"', '"b"', '"ab"')
_numbers = st.builds(
    "{} {} {}".format,
    st.sampled_from((*_NUMBERS, *_SUMS)),
    st.sampled_from(("<", "<=", ">", ">=", "==", "!=")),
    st.integers(-3, 6),
)
_pairs = st.builds(
    "{} {} {}".format,
    st.sampled_from(_SUMS[:3]),
    st.sampled_from(("<", "<=", ">", ">=", "==", "!=")),
    st.sampled_from(_SUMS[:3]),
)
_doubles = st.builds(
    "{} {} {}%".format,
    st.sampled_from(("endpoint.kv_cache", "1.0 - endpoint.kv_cache", "endpoint.kv_cache * 0.5")),
    st.sampled_from(("<", "<=", ">", ">=")),
    st.integers(0, 10).map(lambda n: n * 10),
)
_texts = st.one_of(
    st.builds("endpoint.zone {} {}".format, st.sampled_from(("==", "!=")), st.sampled_from(_ZONES)),
    st.builds(
        "endpoint.zone.{}({})".format,
        st.sampled_from(("startsWith", "endsWith", "contains")),
        st.sampled_from(_ZONES),
    ),
    st.sampled_from(("endpoint.zone in ['a', 'b']", "endpoint.ready", "request.stream")),
)
_calls = st.sampled_from(
    ("request.header('x') == 'a'", "request.header('x').startsWith('b')", "10 / endpoint.queue > 2")
)
conditions = st.recursive(
    st.one_of(_numbers, _pairs, _doubles, _texts, _calls),
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=7,
)
states = st.fixed_dictionaries(
    {
        "endpoint.queue": st.integers(0, 8),
        "endpoint.running": st.integers(0, 8),
        "request.priority": st.integers(-5, 8),
        "request.prompt_tokens": st.integers(0, 8),
        "endpoint.kv_cache": st.integers(0, 20).map(lambda n: n / 20),
        "endpoint.zone": st.sampled_from(("", "a", "b", "ab", "ba", "c")),
        "endpoint.ready": st.booleans(),
        "request.stream": st.booleans(),
        "request.headers": st.sampled_from(({}, {"x": "a"}, {"x": "ba"})),
    }
)


def outcome(text: str, state: Mapping[str, Value]) -> object:
    """Return what the condition *text* gives in *state*."""
    typed, found = checked(text)
    assert typed.type.known, found
    return evaluator(typed)(state)
