"""One target process per transport and test session."""

from collections.abc import Generator

import pytest

from tests.conformance.site import Site, running


@pytest.fixture(scope="session")
def native(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    """The native transport."""
    with running("native", tmp_path_factory.mktemp("native") / "log") as site:
        yield site


@pytest.fixture(scope="session")
def grpcio(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    """The reference transport."""
    with running("grpcio", tmp_path_factory.mktemp("grpcio") / "log") as site:
        yield site


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Site:
    """The transport that the test is parametrised with; only what is asked for is started."""
    found: Site = request.getfixturevalue(request.param)
    return found
