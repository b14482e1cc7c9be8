import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.body_router.table import bucket_of, table
from tests.extensions.body_router.policies import CHATBOT, model, program

NAMES = st.text(alphabet="ab/", max_size=10)


@given(st.text(alphabet="ab/*", max_size=8), NAMES)
def test_a_star_is_any_text(pattern: str, name: str) -> None:
    found = table(program((model(f"{pattern}*", ("gemma", 1.0, None)),))).find(name)
    meant = ".*".join(re.escape(piece) for piece in f"{pattern}*".split("*"))

    assert (found is not None) == (re.fullmatch(meant, name, re.DOTALL) is not None)


def test_an_exact_name_beats_patterns_and_the_longest_pattern_beats_the_others() -> None:
    names = ("*", "llama-*", "llama-3*", "llama-3.1")
    models = table(program(tuple(model(name, ("gemma", 1.0, None)) for name in names)))
    found = {
        asked: entry.model.name
        for asked in ("llama-3.1", "llama-3.2", "llama-2", "qwen")
        if (entry := models.find(asked)) is not None
    }

    assert found == {
        "llama-3.1": "llama-3.1",
        "llama-3.2": "llama-3*",
        "llama-2": "llama-*",
        "qwen": "*",
    }


@given(st.text(), st.text(max_size=5))
def test_a_bucket_is_stable_and_within_0_and_1(key: str, name: str) -> None:
    bucket = bucket_of(key, name)

    assert 0.0 <= bucket < 1.0
    assert bucket_of(key, name) == bucket


def test_a_bucket_is_the_same_for_ever() -> None:
    assert bucket_of("r-1", "chatbot") == 0.9885492264577226


def test_shares_come_out_as_written() -> None:
    entry = table(program((CHATBOT,))).find("chatbot")
    assert entry is not None
    n = 20_000
    pools = [entry.target(bucket_of(f"request-{i}", "chatbot")).pool for i in range(n)]

    # Five standard deviations of a binomial with p = 0.1.
    assert abs(pools.count("gemma-new") / n - 0.1) < 5 * (0.1 * 0.9 / n) ** 0.5


def test_models_do_not_share_their_canaries() -> None:
    n = 5_000
    keys = [f"request-{i}" for i in range(n)]
    both = sum(bucket_of(key, "a") < 0.1 and bucket_of(key, "b") < 0.1 for key in keys)

    assert both / n < 0.03  # 0.01 if independent, 0.1 if the same


def test_growing_a_share_moves_nobody_out_of_it() -> None:
    def canary(share: float) -> set[str]:
        grown = model("m", ("canary", share, None), ("rest", 1.0 - share, None))
        entry = table(program((grown,), pools=("canary", "rest"))).find("m")
        assert entry is not None
        keys = [f"request-{i}" for i in range(2_000)]
        return {key for key in keys if entry.target(bucket_of(key, "m")).pool == "canary"}

    assert canary(0.05) < canary(0.2) < canary(0.5)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6), st.floats(0.0, 1.0, exclude_max=True))
def test_a_share_of_nothing_gets_nothing(weights: list[float], bucket: float) -> None:
    total = sum(weights)
    if total < 1e-6:
        return
    routes = tuple((f"p{i}", weight / total, None) for i, weight in enumerate(weights))
    entry = table(program((model("m", *routes),))).find("m")
    assert entry is not None

    assert {pool: share for pool, share, _ in routes}[entry.target(bucket).pool] > 0


def test_a_model_without_a_route_means_the_only_pool() -> None:
    entry = table(program((model("m"),), pools=("one",))).find("m")

    assert entry is not None
    assert entry.target(0.5).pool == "one"
    with pytest.raises(ValueError, match="model `m` has no route"):
        table(program((model("m"),)))


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "the policy has no models"),
        (2, "known: `m0`, `m1`"),
        (7, "known: `m0`, `m1`, `m2`, `m3`, `m4` and 2 more"),
    ],
)
def test_up_to_five_names_are_shown(count: int, shown: str) -> None:
    models = tuple(model(f"m{i}", ("gemma", 1.0, None)) for i in range(count))

    assert table(program(models)).known() == shown
