"""For all tests: under FUZZ_SECONDS a property is tried again and again, for so long."""

import os
import time

import hypothesis
import pytest

FUZZ_SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))

if FUZZ_SECONDS:
    # What a CI server sets makes the examples the same each time.
    hypothesis.settings.load_profile("default")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Call a property with new examples until FUZZ_SECONDS are over."""
    if not FUZZ_SECONDS or not hypothesis.is_hypothesis_test(pyfuncitem.obj):
        return None
    # Private, and the only way to what a test asked for: the names that pytest passes on.
    names = pyfuncitem._fixtureinfo.argnames  # pyright: ignore[reportPrivateUsage]
    given = {name: pyfuncitem.funcargs[name] for name in names}
    rounds, until_s = 0, time.monotonic() + FUZZ_SECONDS
    while time.monotonic() < until_s:
        pyfuncitem.obj(**given)
        rounds += 1
    print(f"{rounds} rounds in {FUZZ_SECONDS:g} s")
    return True
