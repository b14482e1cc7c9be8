"""The rig itself: what it is built of works without a host, so that its reds are the host's."""

from pathlib import Path

from tests.e2e.rig import envoy, http2
from tests.e2e.rig.config import bootstrap
from tests.e2e.rig.doors import all_doors
from tests.e2e.rig.scripts import digest, noise
from tests.e2e.rig.site import Rig


def test_envoy_accepts_every_door(tmp_path: Path) -> None:
    config = bootstrap(
        all_doors(), {"host": [1], "mortal": [2], "twins": [1, 2]}, {"h1": 3, "h2": 4}
    )

    assert envoy.validate(config, tmp_path) == ""


def test_envoy_alone_passes_bodies_and_trailers_both_ways(rig: Rig) -> None:
    answer = rig.fetch(
        "direct",
        method="POST",
        fields=[("x-script", "trailers")],
        body=[b"by", b"tes"],
        trailers=[("x-t", "1")],
    )

    assert (answer.status, answer.body, answer.complete) == (200, b"bytes", True)
    assert answer.trailers == (("x-back-x-t", b"1"), ("x-end", b"yes"))


def test_envoy_alone_passes_noise_unchanged(rig: Rig) -> None:
    fields = [("x-script", "swap"), ("x-bytes", "1000003")]
    answer = rig.fetch("direct", method="POST", fields=fields, body=noise(1_000_001))

    assert answer.head.get("x-sha256") == digest(noise(1_000_001))
    assert digest(iter([answer.body])) == digest(noise(1_000_003, seed=1))


def test_envoy_alone_passes_grpc_over_http2(rig: Rig) -> None:
    fields = [("x-to", "h2"), ("content-type", "application/grpc")]
    answer = rig.run(
        http2.fetch(rig.port("direct"), "POST", "/a.B/C", fields, [b"1", b"2"], [("x-t", "1")])
    )

    assert (answer.status, answer.body) == (200, b"12")
    assert answer.trailers == (("grpc-status", b"0"), ("x-back-x-t", b"1"))
