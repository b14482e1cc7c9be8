"""The Envoy that is run is there, and is an Envoy."""

import subprocess

from headrace.host.envoy.binary import EnvoyMissing, envoy_path


def test_the_envoy_that_is_found_runs() -> None:
    done = subprocess.run(
        [envoy_path(), "--version"], capture_output=True, text=True, timeout=10, check=True
    )

    assert "version:" in done.stdout


def test_who_has_none_is_told_how_to_get_one() -> None:
    assert "pip install" in str(EnvoyMissing())
