"""For all tests: who shares a process shares a worker, and FUZZ_SECONDS to try a property for."""

import gc
import os
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parents[1]
FUZZ_SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
# Tables, syntax trees and modules stay: looking through them for garbage is a tenth of the time.
GC_THRESHOLDS = (50_000, 20, 100)
# Where fixtures of the whole session start processes, one per transport.
SHARED, TRANSPORTS = ("tests/conformance/", "tests/e2e/"), ("native", "grpcio")

# What a CI server sets makes the examples the same each time; who fuzzes wants new ones.
USUAL = hypothesis.settings.get_profile("default") if FUZZ_SECONDS else hypothesis.settings()
# Of properties that do not say how many they need: `make check` has three minutes for all.
hypothesis.settings.register_profile(
    "headrace",
    USUAL,
    max_examples=50,
    # How fast examples are made says how busy the machine is, and nothing of the property.
    suppress_health_check=(hypothesis.HealthCheck.too_slow,),
)
hypothesis.settings.load_profile("headrace")
gc.set_threshold(*GC_THRESHOLDS)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """In a fresh tree, let each worker compile its share of all tests, and take the others'."""
    worker = getattr(session.config, "workerinput", None)
    if worker is None or session.config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
    ]
    first = len(names) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
    for name in names[first:] + names[:first]:
        with suppress(Exception, pytest.skip.Exception):  # which the collection will tell of
            import_module(name)


def pytest_collection_finish() -> None:
    """Keep what stays until the end, some million objects, out of every garbage collection."""
    gc.collect()
    gc.freeze()


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


class Together(LoadScopeScheduling):
    """Gives the tests of a file to one worker, and those that share a process of the session."""

    def _split_scope(self, nodeid: str) -> str:
        path, _, rest = nodeid.partition("::")
        folder = next((folder for folder in SHARED if path.startswith(folder)), None)
        transport = next((name for name in TRANSPORTS if name in rest), None)
        return f"{folder} {transport}" if folder and transport else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together | None:
    """Keep together what shares a fixture, or every worker starts its own Envoy and host."""
    return Together(config, log) if config.getoption("dist") == "loadscope" else None
