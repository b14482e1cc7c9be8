"""One Envoy, one host and two upstreams for the whole session, on one event loop."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.rig import process
from tests.e2e.rig.envoy import tail
from tests.e2e.rig.site import Rig, starting

HERE = Path(__file__).parent
SPURIOUS = "spurious_msgs_received"
BUG = "bug in `"  # what the host logs of a broken invariant of its own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder `e2e`."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rig]:
    """The rig. Nothing in it changes between tests but what a test itself starts."""
    folder: Path = tmp_path_factory.mktemp("rig")
    with (
        asyncio.Runner() as runner,
        process.running(folder) as host,
        starting(runner, host, folder) as rig,
    ):
        yield rig
        assert BUG not in host.log.read_text(), tail(host.log)


@pytest.fixture
def spurious_expected() -> None:
    """Excuse one test from `nothing_spurious`."""


@pytest.fixture(autouse=True)
def nothing_spurious(request: pytest.FixtureRequest) -> Generator[None]:
    """Hold every test of the rig to this: Envoy took no reply of the host as out of order."""
    if "rig" not in request.fixturenames or "spurious_expected" in request.fixturenames:
        yield
        return
    rig: Rig = request.getfixturevalue("rig")
    before = rig.envoy.counters(SPURIOUS)
    yield
    assert rig.envoy.counters(SPURIOUS) == before, tail(rig.host.log)
