"""`headrace envoy-config`: a bootstrap that Envoy takes, or every reason why there is none."""

import subprocess
from pathlib import Path

import yaml

from headrace.host.envoy.binary import envoy_path
from tests.host.cli.command import QUICKSTART, headrace


def test_a_real_envoy_takes_what_is_printed(tmp_path: Path) -> None:
    config = tmp_path / "envoy.yaml"
    done = headrace("envoy-config", QUICKSTART, "--admin", "127.0.0.1:9901", "--processor-tls")
    config.write_text(done.out)

    checked = subprocess.run(
        [envoy_path(), "--mode", "validate", "-c", config, "-l", "error"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.code, done.err) == (0, "")
    assert checked.returncode == 0, checked.stderr
    assert done.out.startswith(f"# Envoy bootstrap for {QUICKSTART} (policy ")


def test_addresses_may_come_by_variables_and_a_flag_wins() -> None:
    env = {"HEADRACE_LISTEN": "0.0.0.0:80", "HEADRACE_PROCESSOR": "10.0.0.1:1,10.0.0.2:1"}

    tree = yaml.safe_load(headrace("envoy-config", QUICKSTART, env=env).out)
    flagged = yaml.safe_load(
        headrace("envoy-config", QUICKSTART, "--listen", "[::1]:81", env=env).out
    )

    listener = tree["static_resources"]["listeners"][0]["address"]["socket_address"]
    assert listener == {"address": "0.0.0.0", "port_value": 80}
    processors = tree["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]
    assert len(processors["lb_endpoints"]) == 2
    assert "admin" not in tree
    listener = flagged["static_resources"]["listeners"][0]["address"]["socket_address"]
    assert listener == {"address": "::1", "port_value": 81}


def test_each_worker_of_each_host_is_listed() -> None:
    flags = ("--processor", "10.0.0.1:9002,[::1]:80", "--workers", "2")
    tree = yaml.safe_load(headrace("envoy-config", QUICKSTART, *flags).out)
    beyond = headrace("envoy-config", QUICKSTART, "--processor", "10.0.0.1:65535", "--workers", "2")

    (group,) = tree["static_resources"]["clusters"][0]["load_assignment"]["endpoints"]
    found = [e["endpoint"]["address"]["socket_address"] for e in group["lb_endpoints"]]
    places = [(each["address"], each["port_value"]) for each in found]
    assert places == [("10.0.0.1", 9002), ("10.0.0.1", 9003), ("::1", 80), ("::1", 81)]
    assert (beyond.code, "2 workers need ports beyond 65535" in beyond.err) == (2, True)


def test_all_mistakes_of_flags_and_policy_are_told_at_once(tmp_path: Path) -> None:
    policy = tmp_path / "wrong.sched"
    policy.write_text("sched 1\nmodel a { route nowhere }\n")

    done = headrace(
        *("envoy-config", str(policy), "--listen", "here", "--processor", "127.0.0.1:1,x"),
        *("--admin", "localhost:1", "--idle-timeout", "0", "--processor-ca", "/no/such/file"),
    )

    assert (done.code, done.out) == (2, "")
    for says in (
        "--listen: `here` has no port",
        "--processor: `x` has no port",
        "--admin: `localhost:1` does not begin with an IP address",
        "--idle-timeout: `0` is out of range: use 1 to 86400",
        "--processor-ca: cannot read `/no/such/file`: no such file or directory",
        "nowhere",
    ):
        assert says in done.err


def test_an_unknown_chain_is_told_the_known_ones() -> None:
    done = headrace("envoy-config", QUICKSTART, "--chain", "nope")

    assert done.code == 2
    assert "no chain `nope` in the policy; it has `default`" in done.err
