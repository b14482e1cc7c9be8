"""How long a step takes: the coefficients of one model on one kind of hardware."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What one step computes. *pairs*: sum of new * (computed + new / 2) of its prefill chunks."""

    decodes: int = 0
    context_tokens: int = 0
    prefill_tokens: int = 0
    pairs: float = 0.0
    adapters: int = 0
    adapter_loads: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """Coefficients of the step time, in milliseconds, and the capacity of one replica.

    `profiles.toml` says where the numbers come from.
    """

    name: str
    step_ms: float
    decode_ms: float
    context_ms: float
    prefill_ms: float
    kv_tokens: int
    context_tokens_max: int
    pair_ms: float = 0.75e-6
    ingest_ms: float = 15.0
    lora_ratio: float = 0.035
    adapter_load_ms: float = 25.0

    def step_s(self, load: Load) -> float:
        """Return the seconds that a step with *load* takes."""
        compute_ms = (
            self.step_ms
            + self.decode_ms * load.decodes
            + self.context_ms * load.context_tokens / 1000
            + self.prefill_ms * load.prefill_tokens
            + self.pair_ms * load.pairs
        )
        slowed_ms = compute_ms * (1 + self.lora_ratio * load.adapters)
        return (slowed_ms + self.adapter_load_ms * load.adapter_loads) / 1000


def read_profiles(text: str) -> Mapping[str, Profile]:
    """Return the profiles in TOML *text* by name."""
    return {name: Profile(name=name, **table) for name, table in tomllib.loads(text).items()}
