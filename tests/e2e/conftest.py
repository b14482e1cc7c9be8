"""One Envoy, one host and two upstreams for the whole session, on one event loop."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import pytest

from headrace.host.extproc.transport import Transport
from tests.e2e.rig import process
from tests.e2e.rig.envoy import tail
from tests.e2e.rig.site import Rig, starting

HERE = Path(__file__).parent
GRPCIO = Transport.GRPCIO.value
# What takes most of the time, and is about the exchange more than about its transport.
NATIVE_ONLY = {"test_identity.py"}
SPURIOUS = "spurious_msgs_received"
BUG = "bug in `"  # what the host logs of a broken invariant of its own


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark every test of this folder `e2e`; of grpcio, leave out the long ones."""
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    for item in ours:
        item.add_marker(pytest.mark.e2e)
    dropped = {item for item in ours if item.path.name in NATIVE_ONLY and GRPCIO in item.name}
    if dropped:
        config.hook.pytest_deselected(items=list(dropped))
        items[:] = [item for item in items if item not in dropped]


@pytest.fixture(scope="session", params=list(Transport), ids=lambda one: one.value)
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Rig]:
    """The rig, once per transport. Nothing in it changes but what a test itself starts."""
    folder: Path = tmp_path_factory.mktemp("rig")
    with (
        asyncio.Runner() as runner,
        process.running(folder, transport=request.param) as host,
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
