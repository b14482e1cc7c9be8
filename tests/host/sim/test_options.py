import pytest

from headrace.host.sim.options import ModelServerOptions


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"profile": "abacus"}, "unknown profile `abacus`; known: qwen3-32b-2xh100, "),
        ({"models": ()}, "no model name; give at least one"),
        ({"models": ("a", "")}, "no model name; give at least one"),
        ({"models": ("a",), "adapters": ("a",)}, "a model or adapter is named twice"),
        ({"adapters": ("a",), "max_loras": 0}, "adapters without a slot; raise max_loras"),
        ({"time_scale": 0.0}, "time_scale is 0.0; it must be more than 0"),
        ({"kv_blocks": 0}, "kv_blocks is 0; it must be more than 0"),
        ({"max_num_seqs": -1}, "max_num_seqs is -1; it must be more than 0"),
        ({"waiting_max": 0}, "waiting_max is 0; it must be more than 0"),
        ({"max_loras": -1}, "max_loras is -1; it must be 0 or more"),
    ],
)
def test_a_setting_out_of_range_is_refused_with_its_cure(
    wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        ModelServerOptions(**wrong)  # type: ignore[arg-type]


def test_the_defaults_are_those_of_vllm_and_the_profile() -> None:
    options = ModelServerOptions()

    assert options.limits().max_num_seqs == 256
    assert options.limits().max_num_batched_tokens == 8192
    assert options.limits().block_count is None
    assert options.coefficients().name == options.profile
    assert ModelServerOptions(max_num_seqs=3).limits().max_num_seqs == 3
