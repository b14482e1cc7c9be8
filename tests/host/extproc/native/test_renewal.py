"""TLS of both transports: certificates are renewed while serving, and HTTP/2 is agreed on."""

import asyncio
import datetime
import logging
import ssl
from pathlib import Path

import pytest

from headrace.host.extproc.options import GrpcOptions
from headrace.host.extproc.tls import Renewal, Tls, from_files, self_signed, server_context
from tests.host.extproc.wire import client, fresh, grpc, head, reply, run, serving, status

NOW = datetime.datetime.now(datetime.UTC)
FIRST = self_signed(["127.0.0.1"], NOW)
SECOND = self_signed(["127.0.0.1"], NOW)
PATIENCE_S = 5.0


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
