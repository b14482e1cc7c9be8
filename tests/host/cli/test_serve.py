"""`headrace serve`: every mistake before it listens, then a `ready` line, then a clean end."""

import asyncio
import signal
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from headrace.extensions.picker.affinity import Tokens
from headrace.host.extproc.proto import messages as pb
from tests.host.cli.command import QUICKSTART, headrace, running
from tests.host.extproc.wire import body, client, head, reply

ANY = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
SETTINGS = 4  # the type of the frame that an HTTP/2 server sends first (RFC 9113, section 6.5)


def connected(address: str) -> socket.socket:
    """Return a connection to *address*, ``ip:port``."""
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def first_frame(connection: socket.socket) -> int | None:
    """Begin HTTP/2 and return the type of the frame that comes back; None if none does."""
    try:
        connection.sendall(PREFACE)
        head = connection.recv(9)
    except ConnectionError:
        return None
    return head[3] if len(head) == 9 else None


def get(url: str) -> tuple[int, str]:
    """Return the status and the text of *url*."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_all_mistakes_of_flags_and_policy_are_told_before_listening(tmp_path: Path) -> None:
    policy = tmp_path / "wrong.sched"
    policy.write_text("sched 1\nmodel a { route nowhere }\n")

    done = headrace(
        *("serve", str(policy), "--listen", "9002", "--metrics-listen", "x:1"),
        *("--tls-cert", "cert.pem", "--otlp", "localhost:4318", "--trace-sample", "2"),
        *("--body-limit", "big", "--drain-grace", "-1", "--seed", "-1"),
    )

    assert (done.code, done.out) == (2, "")
    for says in (
        "--listen: `9002` has no port",
        "--metrics-listen: `x:1` does not begin with an IP address",
        "--tls-cert, --tls-key: give both or neither",
        "--otlp: `localhost:4318` is not a URL: write e.g. `http://127.0.0.1:4318`",
        "--trace-sample: `2` is out of range: use 0 to 1",
        "--body-limit: `big` is not a size: write e.g. `32MiB`",
        "--drain-grace: `-1` is out of range",
        "--seed: `-1` is out of range",
        "nowhere",
    ):
        assert says in done.err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--tls-cert", "/no/cert", "--tls-key", "/no/key"), "cannot read the certificate"),
        (("--tls-client-ca", "/no/ca"), "--tls-client-ca: give --tls-cert and --tls-key as well"),
        (("--tls-self-signed", "--tls-key", "k"), "--tls-self-signed: not together with"),
        (("--body-limit", "1"), "--body-limit: `1` is out of range"),
        (("--otlp", "http://127.0.0.1:0"), "--otlp: `http://127.0.0.1:0` is not a URL"),
        (("--log-level", "loud"), "loud"),
        (("--destinations", "0"), "--destinations: `0` is out of range: use 1 to 3"),
        (("--session-key-file", "/no/key"), "--session-key-file: cannot read `/no/key`"),
        (("--session-key-file", "/dev/null"), "`/dev/null` must hold 16 to 4096 bytes: write e.g."),
    ],
)
def test_a_flag_that_cannot_be_obeyed_is_a_usage_error(flags: tuple[str, ...], says: str) -> None:
    done = headrace("serve", QUICKSTART, *ANY, *flags)

    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_it_says_where_it_listens_serves_its_pages_and_ends_cleanly() -> None:
    with running("serve", QUICKSTART, *ANY, "--log-level", "warning") as (host, ready):
        pages = {
            page: get(f"http://{ready['metrics']}/{page}")
            for page in ("healthz", "readyz", "metrics", "decisions", "decisions/last")
        }
        with connected(ready["listen"]) as plain:
            frame = first_frame(plain)
        host.send_signal(signal.SIGTERM)
        out, err = host.communicate(timeout=10)

    assert host.returncode == 0, err
    assert out.splitlines() == ["draining for up to 30 s", "stopped"]
    assert frame == SETTINGS
    assert pages["healthz"] == (200, "ok\n")
    assert pages["readyz"] == (200, "ready\n")
    assert "headrace_requests_total" in pages["metrics"][1]
    assert pages["decisions"] == (200, "[]")
    assert pages["decisions/last"][0] == 404
    # A machine with too much to do may hold the loop up, and the host says so.
    assert [line for line in err.splitlines() if "was held up" not in line] == []


def test_self_signed_tls_speaks_tls_only() -> None:
    with running("serve", QUICKSTART, *ANY, "--tls-self-signed") as (host, ready):
        with connected(ready["listen"]) as plain:
            refused = first_frame(plain)
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        trusting.set_alpn_protocols(["h2"])
        with (
            connected(ready["listen"]) as plain,
            trusting.wrap_socket(plain, server_hostname="localhost") as secret,
        ):
            protocol = secret.selected_alpn_protocol()
            taken = first_frame(secret)
        host.send_signal(signal.SIGINT)
        _, err = host.communicate(timeout=10)

    assert host.returncode == 0, err
    assert (protocol, taken) == ("h2", SETTINGS)
    assert refused != SETTINGS


@pytest.mark.parametrize("flag", ["--listen", "--metrics-listen"])
def test_a_taken_port_is_named_and_exits_1(flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = headrace("serve", QUICKSTART, *ANY, flag, address)

    assert (done.code, done.out) == (1, "")
    assert f"error: {flag}: cannot listen on `{address}`" in done.err


def test_the_flags_of_the_reference_reach_what_answers() -> None:
    flags = ("--errors", "gie", "--conformance", "--emit-endpoint-scores")
    with running("serve", QUICKSTART, *ANY, *flags, "--list-models", "servers") as (_, ready):
        answers = asyncio.run(refused(ready["listen"]))

    (answer,) = answers
    assert answer.immediate_response.status.code == 404
    assert answer.immediate_response.body.startswith(b"inference error: NotFound - unknown model")


async def refused(address: str) -> list[pb.ProcessingResponse]:
    """Return the answers to a request for a model that nobody has."""
    async with client(address) as opens:
        stream = opens()
        await stream.write(head())
        await stream.write(body(b'{"model":"x","messages":[{"content":"y"}]}', end_of_stream=True))
        return [await reply(stream)]


def test_processes_with_one_key_file_sign_the_same_token(tmp_path: Path) -> None:
    key, policy = tmp_path / "key", tmp_path / "p.sched"
    key.write_text("0123456789abcdef\n")
    with running("model-server", "--model", "m", "--listen", "127.0.0.1:0") as (_, server):
        policy.write_text(
            f'sched 1\npool p {{ endpoints "{server["listen"]}" }}\nmodel m {{ route p }}\n'
            "profile default { score session_affinity_scorer }\ntrust { session from true }\n"
        )
        with running("serve", str(policy), *ANY, "--session-key-file", str(key)) as (_, ready):
            token = asyncio.run(session_token(ready["listen"]))

    assert token == Tokens(b"0123456789abcdef").sign("p", server["listen"])


async def session_token(address: str) -> str:
    """Return the token that a served request is answered with."""
    async with client(address) as opens:
        stream = opens()
        await stream.write(head())
        await stream.write(body(b'{"model":"m","messages":[{"content":"y"}]}', end_of_stream=True))
        for _ in range(2):  # the head and the body
            await reply(stream)
        ok = pb.HeaderMap(headers=[pb.HeaderValue(key=":status", raw_value=b"200")])
        await stream.write(pb.ProcessingRequest(response_headers=pb.HttpHeaders(headers=ok)))
        answer = await reply(stream)
    headers = answer.response_headers.response.header_mutation.set_headers
    return {h.header.key: h.header.raw_value.decode() for h in headers}["x-session-token"]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--metrics-review",), "--metrics-review: it has no effect without --kube"),
        (("--metrics-token-file", "/nowhere/at/all"), "--metrics-token-file: cannot read"),
        (
            ("--metrics-token-file", "/dev/null"),
            "--metrics-token-file: `/dev/null` is empty: write a token into it",
        ),
        (
            ("--metrics-token-file", "/dev/null", "--metrics-review"),
            "--metrics-token-file, --metrics-review: give one of them",
        ),
    ],
)
def test_readers_that_cannot_be_known_are_told(flags: tuple[str, ...], says: str) -> None:
    done = headrace("serve", QUICKSTART, *flags)

    assert done.code == 2
    assert says in done.err
