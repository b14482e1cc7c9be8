"""Every test here runs once per transport."""

from typing import Any, cast

from tests.host.extproc import wire


def pytest_generate_tests(metafunc: Any) -> None:  # pytest leaves its type open
    """Draw every test for each transport; the fixture is the folder's above."""
    fixtures = cast("list[str]", metafunc.fixturenames)
    if "transport" in fixtures:
        metafunc.parametrize("transport", list(wire.TRANSPORTS), indirect=True)
