"""nghttp and h2load, where they are installed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conformance.calls import HEAD, LAST, PATH
from tests.conformance.site import TRANSPORTS, Site

BOTH = pytest.mark.parametrize("site", TRANSPORTS, indirect=True)
FIELDS = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
WAIT_S = 10.0


def told(tool: str, *arguments: str) -> str:
    """Run *tool* and return what it prints; the test is not run where it is not installed."""
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"`{tool}` is NOT INSTALLED: the interop with nghttp2 is not tested here")
    done = subprocess.run(
        [found, *arguments], capture_output=True, text=True, timeout=WAIT_S, check=True
    )
    return done.stdout


@pytest.fixture
def data(tmp_path: Path) -> str:
    """A file with two messages of an exchange."""
    path = tmp_path / "messages"
    path.write_bytes(HEAD + LAST)
    return str(path)


@BOTH
def test_nghttp_sees_a_whole_call(site: Site, data: str) -> None:
    url = f"http://127.0.0.1:{site.port}{PATH}"
    out = told("nghttp", "-nv", "--no-dep", *FIELDS, "-H", ":method: POST", "-d", data, url)

    assert ":status: 200" in out
    assert "grpc-status: 0" in out
    assert "RST_STREAM" not in out


@BOTH
def test_nghttp_with_padding_continuation_and_a_small_window(site: Site, data: str) -> None:
    """C-core knows no padding, so it is asked without."""
    padding = [] if site.transport == "grpcio" else ["-b", "17"]
    more = ["--continuation", "-w", "10", "-W", "11", *padding]
    url = f"http://127.0.0.1:{site.port}{PATH}"
    out = told("nghttp", "-nv", *more, *FIELDS, "-H", ":method: POST", "-d", data, url)

    assert "grpc-status: 0" in out


@BOTH
def test_h2load_loses_no_request(site: Site, data: str) -> None:
    url = f"http://127.0.0.1:{site.port}{PATH}"
    out = told("h2load", "-n", "1000", "-c", "4", "-m", "25", *FIELDS, "-d", data, url)

    assert re.search(r"1000 succeeded, 0 failed, 0 errored", out), out
    assert re.search(r"1000 2xx, 0 3xx, 0 4xx, 0 5xx", out), out
