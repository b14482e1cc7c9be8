"""The bootstrap: golden files, the real Envoy's opinion, and what must never be in it."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import InferencePoolRef, Program
from headrace.dsl.source import Source
from headrace.extensions.stage import Needs, ResponseNeed
from headrace.host.envoy.binary import envoy_path
from headrace.host.envoy.bootstrap import as_yaml, bootstrap
from headrace.host.envoy.clusters import BootstrapError, pool_addresses
from headrace.host.envoy.processor import processing_mode
from tests.golden import check
from tests.host.envoy.policies import CASES, FULL, ONE_POOL, PICK_ONLY, TWO_POOLS, options, pool

GOLDEN = Path(__file__).parent / "bootstraps"


@pytest.mark.parametrize("case", CASES)
def test_the_bootstrap_is_the_golden_one(case: str) -> None:
    check(GOLDEN / f"{case}.txt", as_yaml(bootstrap(*CASES[case])))


@pytest.mark.parametrize("case", CASES)
def test_a_real_envoy_accepts_it(case: str, tmp_path: Path) -> None:
    config = tmp_path / "envoy.yaml"
    config.write_text(as_yaml(bootstrap(*CASES[case])))

    done = subprocess.run(
        [envoy_path(), "--mode", "validate", "-c", config, "-l", "error"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("needs", "request_mode", "response_mode"),
    [
        (Needs(), "NONE", "NONE"),
        (Needs(request_body=True), "FULL_DUPLEX_STREAMED", "NONE"),
        (Needs(response=ResponseNeed.OBSERVE), "NONE", "STREAMED"),
        (Needs(response=ResponseNeed.GATE), "NONE", "FULL_DUPLEX_STREAMED"),
        (FULL, "FULL_DUPLEX_STREAMED", "STREAMED"),
    ],
)
def test_a_body_is_shown_only_to_a_chain_that_needs_it(
    needs: Needs, request_mode: str, response_mode: str
) -> None:
    mode = processing_mode(needs)

    assert mode["request_body_mode"] == request_mode
    assert mode["response_body_mode"] == response_mode
    for direction in ("request", "response"):
        skipped = mode[f"{direction}_body_mode"] == "NONE"
        assert mode[f"{direction}_trailer_mode"] == ("SKIP" if skipped else "SEND")


def test_the_yaml_says_what_the_tree_says_without_anchors() -> None:
    tree = bootstrap(TWO_POOLS, FULL, options())

    text = as_yaml(tree)

    assert yaml.safe_load(text) == tree
    assert "&id" not in text


def test_what_a_trust_may_let_through_is_left_to_the_exchange() -> None:
    trusting = as_yaml(bootstrap(ONE_POOL, PICK_ONLY, options(chain="pick")))
    wary = as_yaml(bootstrap(TWO_POOLS, FULL, options()))

    assert "remove: x-gateway-destination-endpoint\n" in wary
    assert "remove: x-gateway-destination-endpoint\n" not in trusting
    assert "remove: x-gateway-model-name\n" in trusting


def test_every_problem_is_named_at_once() -> None:
    program = Program("d", pools={"a": pool("a", "vllm.local:8000", "1.2.3.4"), "b": pool("b")})

    with pytest.raises(BootstrapError) as caught:
        bootstrap(program, Needs(), options(chain="nope"))

    assert caught.value.problems == (
        "no chain `nope` in the policy; it has `default`",
        "pool `a`: endpoint `vllm.local:8000` does not begin with an IP address:"
        " write e.g. `127.0.0.1:9002`",
        "pool `a`: endpoint `1.2.3.4` has no port: write `ip:port`, e.g. `127.0.0.1:9002`",
        "pool `b` has no static endpoints: list them as `endpoints`",
    )


def test_a_pool_of_a_cluster_is_none_that_a_static_envoy_knows() -> None:
    _, problems = pool_addresses(replace(pool("only"), inference_pool=InferencePoolRef("gemma")))

    assert problems == [
        "pool `only` has its endpoints from Kubernetes, which a static Envoy does not know: "
        "list them as `endpoints`"
    ]


def test_ranks_behind_one_port_are_one_host_of_the_cluster() -> None:
    ranks = replace(pool("only", "10.0.0.1:8001", "10.0.0.1:8002", "[::1]:8001"), ranks_port=8000)
    known, problems = pool_addresses(ranks)

    assert (list(map(str, known)), problems) == (["10.0.0.1:8000", "[::1]:8000"], [])


def test_a_chain_that_does_not_route_may_not_stand_before_two_pools() -> None:
    program = Program("d", pools=TWO_POOLS.pools, chains=ONE_POOL.chains)

    with pytest.raises(BootstrapError, match="add `body_router` to the chain"):
        bootstrap(program, PICK_ONLY, options(chain="pick"))


@pytest.mark.parametrize(
    ("room", "queues", "idle"),
    [
        ("", "", "600s"),
        ("wait up to 90s for endpoints", "", "690s"),
        ("", "overload when pool.queue > 5.0 { queue by 0 for up to 1500ms }", "602s"),
        (
            "wait up to 10min for endpoints",
            "overload for other when pool.queue > 5.0 { queue by 0 for up to 9min }\n"
            "overload for only when pool.queue > 7.0 { queue by 0 for up to 30s }",
            "1230s",
        ),
    ],
)
def test_a_stream_may_be_silent_for_longer_than_the_policy_lets_it_wait(
    room: str, queues: str, idle: str
) -> None:
    text = (
        f'sched 1\npool only {{ endpoints "10.0.0.1:1" {room} }}\n'
        f'pool other {{ endpoints "10.0.0.2:1" }}\nmodel m {{ route only }}\n{queues}\n'
    )
    program = compile_policy([Source("waits.sched", text)])
    listener = as_yaml(bootstrap(program, FULL, options()))

    assert f"stream_idle_timeout: {idle}\n" in listener
    assert "timeout: 0s\n" in listener
