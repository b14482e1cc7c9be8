"""A policy is shown without its secrets, wherever they stand and whatever else is wrong."""

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.problems.diagnostic import PolicyError
from headrace.dsl.secret_forms import veiled
from headrace.dsl.source import Source

PLANTED = "PLANTED9aZ"
POLICY = """\
sched 1
pool gemma { endpoints "10.0.0.1:8000" }
model chat { route gemma }
guard own { ask http "%s" { header %s  body '%s'  match when answer.x } } %s
"""
URL, HEADER, BODY = "http://own:8000", '"x-team" "gateway"', '{"t": {text}}'


@pytest.mark.parametrize(
    "parts",
    [
        (f"http://user:{PLANTED}@own:8000", HEADER, BODY, ""),
        (f"http://own:8000/?token={PLANTED}", HEADER, BODY, ""),
        (URL, f'"authorization" "{PLANTED}"', BODY, ""),
        (URL, f'"x-api-key"\n  "{PLANTED}"', BODY, ""),
        (URL, f'"x-note" "sk-{PLANTED}"', BODY, ""),
        (URL, HEADER, f'{{"t": {{text}}, "k": "Bearer {PLANTED}"}}', ""),
        (URL, f'"authorization" "{PLANTED}"', BODY, "}"),
        (URL, f'"authorization" "{PLANTED}', BODY, ""),
        (URL, f'"authorization" "Bearer {PLANTED}"', BODY, "oops"),
        (URL, f'"authorization" from env "A" prefix "Bearer {PLANTED}"', BODY, "oops"),
        (URL, HEADER, BODY, f"oops # it was sk-{PLANTED}"),
    ],
)
def test_no_error_repeats_a_secret_of_the_policy(parts: tuple[str, ...]) -> None:
    with pytest.raises(PolicyError) as caught:
        compile_policy([Source("a.sched", POLICY % parts)])

    assert PLANTED not in str(caught.value)
    assert "a.sched:" in str(caught.value)


def test_what_is_no_secret_is_shown_as_it_is_and_in_its_place() -> None:
    text = POLICY % (URL, HEADER, BODY, '# don\'t\nclass a when request.header("cookie") == "x" {}')

    assert veiled(text) == text


def test_stars_take_as_much_room_as_the_secret() -> None:
    text = 'header "authorization" "Bearer a b"  header "x-a" "b"'

    assert veiled(text) == 'header "authorization" "****** * *"  header "x-a" "b"'
