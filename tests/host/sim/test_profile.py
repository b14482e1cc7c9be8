import pytest

from headrace.host.sim.profile import PROFILE_DEFAULT, profile_names, profiles
from headrace.host.sim.replica import Replica
from headrace.host.sim.step_time import Load, Profile, read_profiles
from tests.host.sim.world import ask, drain


def test_each_term_of_the_step_time_counts_once() -> None:
    profile = Profile("x", 10, 2, 30, 0.5, 1024, 1024, pair_ms=0.001, lora_ratio=0.1)
    load = Load(decodes=3, context_tokens=2000, prefill_tokens=100, pairs=5000)

    assert profile.step_s(Load()) == pytest.approx(0.010)
    assert profile.step_s(load) == pytest.approx((10 + 6 + 60 + 50 + 5) / 1000)
    assert profile.step_s(Load(adapters=2, adapter_loads=1)) == pytest.approx(0.012 + 0.025)


def test_the_default_profile_is_the_published_fit_and_comes_first() -> None:
    default = profiles()[PROFILE_DEFAULT]

    assert profile_names()[0] == PROFILE_DEFAULT
    assert set(profile_names()) == set(profiles())
    assert (default.step_ms, default.decode_ms, default.context_ms, default.prefill_ms) == (
        13.96,
        0.0571,
        0.0542,
        0.0490,
    )


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_has_whole_blocks_and_room_for_a_full_context(name: str) -> None:
    profile = profiles()[name]

    assert profile.name == name
    assert profile.kv_tokens % 16 == 0
    assert profile.kv_tokens >= profile.context_tokens_max


def test_profiles_are_read_from_toml() -> None:
    text = "[x]\nstep_ms=1\ndecode_ms=2\ncontext_ms=3\nprefill_ms=4\nkv_tokens=16\n"
    read = read_profiles(text + "context_tokens_max=16\npair_ms=5")

    assert read == {"x": Profile("x", 1, 2, 3, 4, 16, 16, pair_ms=5)}


# The measured points were taken at four concurrent requests, so an undisturbed request is
# faster than they are, by at most the share of a step that it shares with the others' work.
@pytest.mark.parametrize(
    ("name", "prompt", "measured_ms"),
    [
        ("llama-3.1-70b-2xh100", 1024, 121),
        ("llama-3.1-70b-2xh100", 8192, 738),
        ("llama-3.1-70b-4xh100", 8192, 453),
        ("llama-3.1-70b-8xh100", 8192, 301),
        ("llama-3.1-70b-1xh200", 8192, 1345),
        ("llama-3.1-70b-2xh200", 8192, 733),
        ("llama-3.1-70b-4xh200", 8192, 469),
        ("gpt-oss-120b-2xh100", 8192, 265),
        ("gpt-oss-120b-4xh100", 8192, 176),
    ],
)
def test_the_first_token_at_low_load_comes_when_it_was_measured(
    name: str, prompt: int, measured_ms: float
) -> None:
    machine = Replica(profiles()[name])
    machine.submit(ask(1, prompt, 1), 0.0)
    first_token_ms = drain(machine).ends_s[-1] * 1000

    assert 0.7 * measured_ms < first_token_ms <= measured_ms
