"""`headrace serve --role`: several doors of one process, with real clients at each."""

import asyncio
import datetime
import json
import signal
import ssl
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from headrace.host.extproc.proto import messages as pb
from headrace.host.extproc.tls import self_signed
from tests.host.cli.command import QUICKSTART, headrace, running
from tests.host.cli.test_serve import get
from tests.host.cluster.objects import until
from tests.host.extproc.test_health import check
from tests.host.extproc.test_tls import write
from tests.host.extproc.wire import Stream, body, client, head, reply, status

grpc: Any = import_module("grpc")
aio: Any = import_module("grpc.aio")
POLICY = """\
sched 1
pool gemma { endpoints "127.0.0.1:1"  wait up to 20s for endpoints }
model chatbot { route gemma }
guard secrets { patterns "sesame" }
"""
METRICS = ("--metrics-listen", "127.0.0.1:0")
FREE = "=127.0.0.1:0,health=0"
CHAT = b'{"model":"chatbot","messages":[{"role":"user","content":"%s"}]}'
CHECKS = pb.HealthCheckRequest()
GOOGLE = "com.google.lb_traffic_extension.rule.chain.ext"
ROLES = ("route", "traffic", "picker")
NAMES = {1: "SERVING", 2: "NOT_SERVING"}


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """A policy whose only endpoint is never up."""
    path = tmp_path / "p.sched"
    path.write_text(POLICY)
    return str(path)


def trusted(address: str) -> object:
    """Return credentials for whom *address* shows itself as: clients of gRPC insist on some."""
    host, _, port = address.rpartition(":")
    shown = ssl.get_server_certificate((host, int(port)))
    return grpc.ssl_channel_credentials(root_certificates=shown.encode())


async def ask(address: str, text: bytes, *, secret: bool = True, chain: str = "") -> Any:
    """Return the first answer to a chat about *text* at *address*."""
    credentials = await asyncio.to_thread(trusted, address) if secret else None
    async with client(address, credentials=credentials) as opens:
        stream = opens()
        first = head()
        if chain:
            named = first.metadata_context.filter_metadata[GOOGLE]
            named.fields["headrace-chain"].string_value = chain
        await stream.write(first)
        await stream.write(body(CHAT % text, end_of_stream=True))
        return await reply(stream)


async def health(address: str) -> str:
    """Return what gRPC health says at *address*, asked without TLS."""
    async with aio.insecure_channel(address) as channel:
        answer = await check(channel)(CHECKS, timeout=5)
        return NAMES[answer.status]


def changes(answer: Any) -> dict[str, str]:
    """Return the headers that *answer* sets."""
    sets = answer.request_headers.response.header_mutation.set_headers
    return {one.header.key: one.header.raw_value.decode() for one in sets}


@pytest.mark.parametrize("transport", ["native", "grpcio"])
def test_each_role_speaks_tls_at_its_own_port_and_tells_its_health_beside(
    policy: str, transport: str
) -> None:
    flags = [flag for name in ROLES for flag in ("--role", name + FREE)]
    with running("serve", policy, *METRICS, *flags, "--transport", transport) as (process, ready):
        routed = asyncio.run(ask(ready["route"], b"hi"))
        blocked = asyncio.run(ask(ready["traffic"], b"open sesame"))
        _, page = get(f"http://{ready['metrics']}/status")
        told = {name: asyncio.run(health(ready[f"{name}.health"])) for name in ROLES}
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=10)

    assert process.returncode == 0, err
    assert changes(routed)["x-headrace-pool"] == "gemma"
    assert changes(routed)["x-headrace-route"]
    assert routed.request_headers.response.clear_route_cache
    assert blocked.immediate_response.status.code in (400, 403)
    assert told == dict.fromkeys(ROLES, "SERVING")
    assert ready["listen"] == ready["route"]
    assert json.loads(page)["roles"]["traffic.health"] == ready["traffic.health"]


def test_a_health_port_answers_nothing_but_health(policy: str) -> None:
    async def asked(address: str) -> str:
        async with client(address) as opens:
            stream: Stream = opens()
            return await status(stream)

    with running("serve", policy, *METRICS, "--role", "picker" + FREE) as (_, ready):
        assert asyncio.run(asked(ready["picker.health"])) == "UNIMPLEMENTED"


def test_one_port_runs_the_chain_that_an_extensions_metadata_names(policy: str) -> None:
    with running("serve", policy, *METRICS, "--role", "*=127.0.0.1:0,plain") as (
        _,
        ready,
    ):
        address = ready["*"]
        routed = asyncio.run(ask(address, b"open sesame", secret=False, chain="route"))
        blocked = asyncio.run(ask(address, b"open sesame", secret=False, chain="traffic"))
        unknown = asyncio.run(ask(address, b"hi", secret=False, chain="secret"))
        default = asyncio.run(ask(address, b"open sesame", secret=False))

    assert changes(routed)["x-headrace-pool"] == "gemma"
    assert blocked.immediate_response.status.code in (400, 403)
    assert b"no chain `secret`" in unknown.immediate_response.body
    assert default.immediate_response.status.code in (400, 403)


def test_a_wait_ends_before_the_gateways_timeout(policy: str) -> None:
    async def timed(address: str) -> tuple[float, Any]:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        answer = await ask(address, b"hi")
        return loop.time() - began_s, answer

    flags = ("--role", f"picker{FREE},timeout=1500ms", "--log-level", "warning")
    with running("serve", policy, *METRICS, *flags) as (process, ready):
        took_s, answer = asyncio.run(timed(ready["picker"]))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=10)

    assert answer.immediate_response.status.code == 503
    assert 1.0 < took_s < 1.5
    assert "the policy lets requests wait for 20 s, and `picker` answers within 1.2 s" in err


def test_health_says_no_while_open_exchanges_finish(policy: str) -> None:
    async def leaving(process: Any, ready: Mapping[str, str]) -> str:
        credentials = await asyncio.to_thread(trusted, ready["picker"])
        async with client(ready["picker"], credentials=credentials) as opens:
            stream = opens()
            await stream.write(head())
            await stream.write(body(CHAT % b"hi", end_of_stream=True))
            await asyncio.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            return await health(ready["picker.health"])

    flags = ("--role", f"picker{FREE},timeout=10s")
    with running("serve", policy, *METRICS, *flags) as (process, ready):
        assert asyncio.run(leaving(process, ready)) == "NOT_SERVING"


def test_a_changed_policy_that_cannot_play_a_role_does_not_replace_one_that_can(
    policy: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    flags = ("--role", f"picker@gemma{FREE}", "--role", "route" + FREE)
    with running("serve", policy, *METRICS, *flags, err=log) as (_, ready):
        other = POLICY.replace("pool gemma", "pool gemini").replace("route gemma", "route gemini")
        Path(policy).write_text(other)
        until(lambda: "the policy has no pool `gemma`" in log.read_text())
        routed = asyncio.run(ask(ready["route"], b"hi"))
        Path(policy).write_text(POLICY.replace("model chatbot", "model chatbot, other"))
        until(lambda: log.read_text().count("policy") > 1)
        again = asyncio.run(ask(ready["route"], b"hi"))

    assert changes(routed)["x-headrace-pool"] == changes(again)["x-headrace-pool"] == "gemma"


@pytest.mark.parametrize("transport", ["native", "grpcio"])
def test_a_renewed_certificate_is_shown_at_every_role(
    policy: str, tmp_path: Path, transport: str
) -> None:
    def shown(address: str) -> bytes:
        host, _, port = address.rpartition(":")
        return ssl.get_server_certificate((host, int(port))).encode()

    first, second = (self_signed(["localhost"], datetime.datetime.now(datetime.UTC)) for _ in "12")
    certificate, key = write(tmp_path, first)
    flags = ("--role", "route" + FREE, "--role", "picker" + FREE, "--transport", transport)
    secret = ("--tls-cert", str(certificate), "--tls-key", str(key))
    with running("serve", policy, *METRICS, *flags, *secret) as (_, ready):
        before = [shown(ready[name]) for name in ("route", "picker")]
        write(tmp_path, second)
        until(lambda: shown(ready["route"]) == second.certificate)
        until(lambda: shown(ready["picker"]) == second.certificate)

    assert before == [first.certificate] * 2


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--role", "night"), "--role: `night` says no address"),
        (("--role", "picker", "--role", "picker"), "--role: `picker` is there twice"),
        (("--role", "picker", "--listen", "127.0.0.1:0"), "--listen: it has no effect with --role"),
        (("--role", "picker,timeout=soon"), "--role: `picker`: `soon` is not a duration"),
        (
            ("--role", "x=127.0.0.1:0"),
            "role `x`: the policy has no chain `x`: add `chain x { ... }`",
        ),
        (("--role", "picker@x"), "role `picker@x`: the policy has no pool `x`; it has"),
        (tuple(f for n in range(65) for f in ("--role", f"c{n}=127.0.0.1:0")), "65 roles are more"),
    ],
)
def test_a_role_that_cannot_be_played_is_a_usage_error(flags: tuple[str, ...], says: str) -> None:
    done = headrace("serve", QUICKSTART, *METRICS, *flags)

    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_a_roles_taken_port_is_named_and_exits_1(policy: str) -> None:
    with running("serve", policy, *METRICS, "--role", "picker" + FREE) as (_, ready):
        done = headrace("serve", policy, *METRICS, "--role", f"route={ready['picker']}")

    assert (done.code, done.out) == (1, "")
    assert f"--role: role `route`: cannot listen on `{ready['picker']}`" in done.err
