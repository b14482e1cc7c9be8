"""Every test that serves runs once per transport."""

from collections.abc import Generator
from typing import Any, cast

import pytest

from tests.host.extproc import wire


@pytest.fixture(autouse=True)
def transport(request: pytest.FixtureRequest) -> Generator[None]:
    """Have `serving` start the transport that the test was drawn for."""
    name = getattr(request, "param", None)
    if name is None:
        yield
        return
    token = wire.TRANSPORT.set(wire.TRANSPORTS[name])
    yield
    wire.TRANSPORT.reset(token)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Draw every test of a module that knows `serving` for each transport, or its TRANSPORTS."""
    module: object = cast(Any, metafunc).module  # pytest leaves its type open
    if getattr(module, "serving", None) is wire.serving:
        names: list[str] = getattr(module, "TRANSPORTS", list(wire.TRANSPORTS))
        metafunc.parametrize("transport", names, indirect=True)
