"""For all tests: who shares a process shares a worker, and FUZZ_SECONDS to try a property for."""

import os
import time

import hypothesis
import pytest

FUZZ_SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
SHARED = ("rig", "site")  # fixtures of a whole session that start processes, one per transport

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one shared fixture together, or every worker starts its own Envoy."""
    for item in items:
        params: dict[str, object] = getattr(getattr(item, "callspec", None), "params", {})
        for name in SHARED:
            if name in params:
                item.add_marker(pytest.mark.xdist_group(f"{name} {params[name]}"))
