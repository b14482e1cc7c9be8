"""TLS of the listener: self-signed, from files, and with certificates of clients."""

import datetime
from pathlib import Path

import pytest

from headrace.host.extproc.options import GrpcOptions
from headrace.host.extproc.tls import Tls, TlsError, from_files, self_signed
from tests.host.extproc.wire import client, fresh, grpc, head, reply, run, serving, status

NOW = datetime.datetime.now(datetime.UTC)
HOST = self_signed(["127.0.0.1", "localhost"], NOW)
CALLER = self_signed(["caller"], NOW)
STRANGER = self_signed(["stranger"], NOW)


def write(folder: Path, tls: Tls) -> tuple[Path, Path]:
    """Write *tls* as two files."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    certificate.write_bytes(tls.certificate)
    key.write_bytes(tls.key)
    return certificate, key


async def outcome(address: str, credentials: object) -> str:
    """Return how one stream with *credentials* goes: ``served`` or its status."""
    async with client(address, credentials=credentials) as stream_of:
        stream = stream_of()
        try:
            await stream.write(head())
            await reply(stream)
        except Exception:
            return await status(stream)
        await stream.done_writing()
        assert await status(stream) == "OK"
        return "served"


def test_a_self_signed_listener_serves_those_who_trust_it_and_no_others() -> None:
    async def test() -> None:
        async with serving(fresh, options=GrpcOptions(tls=HOST)) as (_, address):
            trusting = grpc.ssl_channel_credentials(root_certificates=HOST.certificate)
            doubting = grpc.ssl_channel_credentials(root_certificates=STRANGER.certificate)

            assert await outcome(address, trusting) == "served"
            assert await outcome(address, doubting) == "UNAVAILABLE"
            assert await outcome(address, None) == "UNAVAILABLE"

    run(test())


def test_with_a_client_ca_only_its_clients_are_served(tmp_path: Path) -> None:
    async def test() -> None:
        authority = tmp_path / "ca.crt"
        authority.write_bytes(CALLER.certificate)
        tls = from_files(*write(tmp_path, HOST), authority)
        async with serving(fresh, options=GrpcOptions(tls=tls)) as (_, address):
            root = HOST.certificate
            known = grpc.ssl_channel_credentials(root, CALLER.key, CALLER.certificate)
            unknown = grpc.ssl_channel_credentials(root, STRANGER.key, STRANGER.certificate)

            assert await outcome(address, known) == "served"
            assert await outcome(address, unknown) == "UNAVAILABLE"
            assert await outcome(address, grpc.ssl_channel_credentials(root)) == "UNAVAILABLE"

    run(test())


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    certificate, key = write(tmp_path, HOST)
    missing, other = tmp_path / "missing", tmp_path / "other.key"
    other.write_bytes(STRANGER.key)
    junk = tmp_path / "junk"
    junk.write_text("not PEM")

    for files, text in [
        ((missing, key), f"cannot read the certificate `{missing}`: No such file or directory"),
        ((certificate, missing), f"cannot read the key `{missing}`: No such file or directory"),
        ((junk, key), f"the certificate `{junk}` is no PEM certificate"),
        ((certificate, junk), f"the key `{junk}` is no unencrypted PEM private key"),
        ((certificate, other), f"the key `{other}` does not belong to `{certificate}`"),
        ((certificate, key, junk), f"the client CA `{junk}` is no PEM certificate"),
    ]:
        with pytest.raises(TlsError) as error:
            from_files(*files)
        assert str(error.value) == text


def test_secrets_are_not_shown() -> None:
    assert "PRIVATE" not in repr(HOST)
