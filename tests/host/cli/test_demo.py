"""`headrace demo`: its flags. The demo itself is run in tests/host/demo."""

import pytest

from tests.host.cli.command import headrace


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--requests", "0"), "--requests: `0` is out of range: use 1 to 100000"),
        (("--requests", "100001"), "--requests: `100001` is out of range"),
        (("--requests", "many"), "an integer"),
        (("--seed", "-1", "--requests", "0"), "--seed: `-1` is out of range"),
    ],
)
def test_a_flag_that_cannot_be_obeyed_is_a_usage_error(flags: tuple[str, ...], says: str) -> None:
    done = headrace("demo", *flags)

    assert (done.code, done.out) == (2, "")
    assert says in done.err
