"""The profiles that come with Headrace: package data, read when asked for."""

from collections.abc import Mapping
from importlib.resources import files

from headrace.host.sim.step_time import Profile, read_profiles

PROFILE_DEFAULT = "qwen3-32b-2xh100"


def profiles() -> Mapping[str, Profile]:
    """Return the profiles that come with Headrace by name."""
    return read_profiles((files("headrace.host.sim") / "profiles.toml").read_text("utf-8"))


def profile_names() -> tuple[str, ...]:
    """Return the names of the profiles that come with Headrace, the default first."""
    return tuple(sorted(profiles(), key=lambda name: (name != PROFILE_DEFAULT, name)))
