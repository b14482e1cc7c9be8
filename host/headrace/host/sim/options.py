"""What a simulated model server is told at its start."""

from dataclasses import dataclass

from headrace.dsl.dialects.dialect import METRIC_DIALECTS
from headrace.host.sim.profile import PROFILE_DEFAULT, profile_names, profiles
from headrace.host.sim.replica import Limits
from headrace.host.sim.step_time import Profile


@dataclass(frozen=True, slots=True)
class ModelServerOptions:
    """The settings of one simulated model server.

    *models*: names it answers to, the first being the base model's. *adapters*: LoRA adapters
    loaded at the start. *time_scale*: simulated seconds per second. *kv_blocks* and
    *max_num_seqs*: None for the profile's cache and vLLM's 256. *tick_s*: the driver sleeps at
    least this long, and runs all steps that fell due meanwhile at once. *metrics*: the dialect
    that its metrics page speaks, one of `METRIC_DIALECTS`; only vLLM's tells of adapters.
    *kv_events_port*: where what the cache changes is published; *kv_replay_port*: where it is
    told again.

    Raises:
        ValueError: if a setting is out of its range; the message names the cure.
    """

    host: str = "127.0.0.1"
    port: int = 8001
    models: tuple[str, ...] = ("model",)
    adapters: tuple[str, ...] = ()
    profile: str = PROFILE_DEFAULT
    time_scale: float = 1.0
    kv_blocks: int | None = None
    max_num_seqs: int | None = None
    max_loras: int = 4
    waiting_max: int = 4096
    body_bytes_max: int = 32 * 1024 * 1024
    tick_s: float = 0.002
    kv_events_port: int | None = None
    kv_replay_port: int | None = None
    metrics: str = METRIC_DIALECTS[0]

    def __post_init__(self) -> None:
        if self.profile not in profile_names():
            known = ", ".join(profile_names())
            raise ValueError(f"unknown profile `{self.profile}`; known: {known}")
        if self.metrics not in METRIC_DIALECTS:
            known = ", ".join(METRIC_DIALECTS)
            raise ValueError(f"unknown metrics `{self.metrics}`; known: {known}")
        if not self.models or not all(self.models):
            raise ValueError("no model name; give at least one")
        names = (*self.models, *self.adapters)
        if len(set(names)) < len(names):
            raise ValueError("a model or adapter is named twice; give each name once")
        if self.adapters and not self.max_loras:
            raise ValueError("adapters without a slot; raise max_loras to 1 or more")
        if self.kv_replay_port is not None and self.kv_events_port is None:
            raise ValueError("a replay port without events; give kv_events_port too")
        for name, value in self._numbers():
            if value <= 0:
                raise ValueError(f"{name} is {value}; it must be more than 0")
        if self.max_loras < 0:
            raise ValueError(f"max_loras is {self.max_loras}; it must be 0 or more")

    def coefficients(self) -> Profile:
        """Return the profile that *profile* names."""
        return profiles()[self.profile]

    def limits(self) -> Limits:
        """Return the bounds of a batch."""
        seqs = Limits().max_num_seqs if self.max_num_seqs is None else self.max_num_seqs
        tells = self.kv_events_port is not None
        return Limits(
            max_num_seqs=seqs, max_loras=self.max_loras, block_count=self.kv_blocks, tells=tells
        )

    def _numbers(self) -> tuple[tuple[str, float], ...]:
        optional = (("kv_blocks", self.kv_blocks), ("max_num_seqs", self.max_num_seqs))
        return (
            ("time_scale", self.time_scale),
            ("waiting_max", self.waiting_max),
            ("body_bytes_max", self.body_bytes_max),
            ("tick_s", self.tick_s),
            *((name, value) for name, value in optional if value is not None),
        )
