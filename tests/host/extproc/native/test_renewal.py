"""TLS of both transports: certificates are renewed while serving, and HTTP/2 is agreed on."""

import asyncio
import datetime
import ipaddress
import logging
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from headrace.host.extproc.native.server import NativeServer
from headrace.host.extproc.options import GrpcOptions
from headrace.host.extproc.tls import Renewal, Tls, from_files, self_signed, server_context
from tests.host.extproc.wire import (
    TRANSPORT,
    client,
    fresh,
    grpc,
    head,
    reply,
    run,
    serving,
    status,
    until,
)

NOW = datetime.datetime.now(datetime.UTC)
FIRST = self_signed(["127.0.0.1"], NOW)
SECOND = self_signed(["127.0.0.1"], NOW)
PATIENCE_S = 5.0


def issued(count: int) -> tuple[bytes, list[Tls]]:
    """Return a CA and so many certificates of it, which a client that trusts it takes all."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "the CA")])

    def sign(subject: x509.Name, public: ec.EllipticCurvePublicKey, ca: bool) -> bytes:
        made = (
            x509.CertificateBuilder(name, subject, public, x509.random_serial_number())
            .not_valid_before(NOW - datetime.timedelta(hours=1))
            .not_valid_after(NOW + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        made = made.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)

    shown: list[Tls] = []
    for _ in range(count):
        secret = ec.generate_private_key(ec.SECP256R1())
        leaf = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "the host")])
        pem = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        shown.append(Tls(sign(leaf, secret.public_key(), ca=False), pem))
    return sign(name, key.public_key(), ca=True), shown


def files(folder: Path, tls: Tls) -> tuple[Path, Path]:
    """Write *tls* as two files, each at once."""
    paths = folder / "tls.crt", folder / "tls.key"
    for path, octets in zip(paths, (tls.certificate, tls.key), strict=True):
        fresh_path = path.with_suffix(".new")
        fresh_path.write_bytes(octets)
        fresh_path.rename(path)
    return paths


async def shown(address: str) -> bytes:
    """Return the certificate that a new connection is shown."""
    host, port = address.split(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    found = tls.getpeercert(binary_form=True)
    writer.transport.abort()
    assert found is not None
    return found


async def talk(address: str, root: bytes) -> str:
    """Return how one stream goes with a client that trusts *root*."""
    async with client(address, (), grpc.ssl_channel_credentials(root)) as stream_of:
        stream = stream_of()
        await stream.write(head())
        await reply(stream)
        await stream.done_writing()
        return await status(stream)


def test_a_renewed_certificate_is_shown_and_streams_go_on(tmp_path: Path) -> None:
    async def test() -> None:
        options = GrpcOptions(tls=from_files(*files(tmp_path, FIRST)))
        async with serving(fresh, options=options) as (_, address):
            assert await talk(address, FIRST.certificate) == "OK"
            root = grpc.ssl_channel_credentials(FIRST.certificate)
            async with client(address, (), root) as stream_of:
                stream = stream_of()
                await stream.write(head())
                await reply(stream)
                before = await shown(address)
                files(tmp_path, SECOND)
                async with asyncio.timeout(PATIENCE_S):
                    while await shown(address) == before:  # noqa: ASYNC110 - no event for it
                        await asyncio.sleep(0.05)
                assert await talk(address, SECOND.certificate) == "OK"
                await stream.done_writing()
                assert await status(stream) == "OK"

    run(test())


def test_no_call_fails_while_certificates_change_under_load(tmp_path: Path) -> None:
    """Every call is a connection of its own, so that handshakes go on all the time."""

    async def test() -> None:
        root, (first, second, third) = issued(3)
        options = GrpcOptions(tls=from_files(*files(tmp_path, first)))
        over = asyncio.Event()
        async with serving(fresh, options=options) as (_, address):
            outcomes: list[str] = []

            async def caller() -> None:
                while not over.is_set():
                    outcomes.append(await talk(address, root))

            callers = [asyncio.create_task(caller()) for _ in range(6)]
            before = await shown(address)
            for tls in (second, third):
                files(tmp_path, tls)
                async with asyncio.timeout(PATIENCE_S):
                    while await shown(address) == before:  # noqa: ASYNC110 - no event for it
                        await asyncio.sleep(0.05)
                before, enough = await shown(address), len(outcomes) + 20
                await until(lambda: len(outcomes) >= enough)  # noqa: B023 - awaited here
            over.set()
            await asyncio.gather(*callers)
        assert set(outcomes) == {"OK"}

    run(test())


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02"], ids=["nothing", "half a hello"])
def test_a_handshake_that_does_not_end_is_cut_off(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    if TRANSPORT.get() is not NativeServer:
        pytest.skip("grpcio has a limit of its own, of two minutes")
    monkeypatch.setattr("headrace.host.extproc.accept.HANDSHAKE_S", 0.2)

    async def test() -> None:
        async with serving(fresh, options=GrpcOptions(tls=FIRST)) as (_, address):
            host, port = address.split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(said)
            async with asyncio.timeout(PATIENCE_S):
                with suppress(ConnectionError):
                    assert await reader.read() == b""
            writer.close()
            assert await talk(address, FIRST.certificate) == "OK"

    run(test())


def test_files_that_cannot_be_used_are_told_once_and_the_old_ones_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = files(tmp_path, FIRST)
    renewal = Renewal(from_files(certificate, key))
    assert renewal.look() is None

    key.write_bytes(SECOND.key)
    with caplog.at_level(logging.INFO, "headrace"):
        assert [renewal.look(), renewal.look()] == [None, None]
        certificate.write_bytes(SECOND.certificate)
        renewed = renewal.look()

    assert renewed is not None
    assert (renewed.certificate, renewed.key) == (SECOND.certificate, SECOND.key)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_certificate_made_in_memory_is_never_renewed() -> None:
    assert Renewal(FIRST).look() is None


@pytest.mark.parametrize("protocols", [["http/1.1"], []], ids=["http/1.1", "none"])
def test_a_tls_client_that_does_not_ask_for_h2_is_sent_away(protocols: list[str]) -> None:
    async def test() -> None:
        async with serving(fresh, options=GrpcOptions(tls=FIRST)) as (_, address):
            host, port = address.split(":")
            context = ssl.create_default_context(cadata=FIRST.certificate.decode())
            if protocols:
                context.set_alpn_protocols(protocols)
            try:
                reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
                said = await reader.read()
                writer.close()
            except (ConnectionError, ssl.SSLError):
                said = b""
            assert said == b""

    run(test())


def test_old_versions_and_weak_ciphers_are_not_spoken() -> None:
    context = server_context(FIRST)

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    old = [c["name"] for c in context.get_ciphers() if c["protocol"] != "TLSv1.3"]
    assert old
    assert all(name.startswith("ECDHE-") and "CBC" not in name for name in old)
