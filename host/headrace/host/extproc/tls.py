"""Certificates for the listener: from files, or made on the spot for development."""

import datetime
import ipaddress
import logging
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

SELF_SIGNED_DAYS = 30
# RFC 9113 section 9.2.2 forbids HTTP/2 over TLS 1.2 without forward secrecy and AEAD.
CIPHERS_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20"

log = logging.getLogger(__name__)

Stamp = tuple[tuple[int, int, int], ...]


class TlsError(Exception):
    """A certificate, key or CA that cannot be used: the operator's mistake."""


@dataclass(frozen=True, slots=True)
class Tls:
    """What a listener shows, and which clients it takes.

    client_ca  clients must show a certificate of this CA; None takes every client
    files      certificate, key and perhaps CA, to be looked at again; empty: made in memory
    """

    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)
    client_ca: bytes | None = field(default=None, repr=False)
    files: tuple[Path, ...] = ()


def from_files(certificate: Path, key: Path, client_ca: Path | None = None) -> Tls:
    """Return the PEM files as Tls.

    Raises:
        TlsError: a file cannot be read, is no PEM, or the key is not the certificate's.
    """
    chain = _read(certificate, "certificate")
    secret = _read(key, "key")
    authority = None if client_ca is None else _read(client_ca, "client CA")
    shown = _certificate(chain, certificate, "certificate")
    try:
        public = load_pem_private_key(secret, None).public_key()
    except (ValueError, TypeError) as error:  # TypeError: the key is encrypted
        raise TlsError(f"the key `{key}` is no unencrypted PEM private key") from error
    if _spki(public) != _spki(shown.public_key()):
        raise TlsError(f"the key `{key}` does not belong to `{certificate}`")
    if authority is not None and client_ca is not None:
        _certificate(authority, client_ca, "client CA")
    files = (certificate, key) if client_ca is None else (certificate, key, client_ca)
    return Tls(chain, secret, authority, files)


class Renewal:
    """Follows the files of a Tls. Mutable; used from one thread."""

    def __init__(self, tls: Tls) -> None:
        self._files = tls.files
        self._stamp = _stamp(tls.files)

    def look(self) -> Tls | None:
        """Return what the files have now, if they have changed and can be used.

        What cannot be used is logged once: the old certificate stays in use.
        """
        stamp = _stamp(self._files)
        if not self._files or stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            renewed = from_files(*self._files)
        except TlsError as error:
            log.warning("the certificate was not renewed: %s", error)
            return None
        log.info("the certificate was renewed from `%s`", self._files[0])
        return renewed


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return *tls* for asyncio: TLS 1.2 or later, HTTP/2 by ALPN and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS_1_2)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["h2"])
    with tempfile.TemporaryDirectory() as folder:  # ssl takes files only; the folder is ours alone
        certificate, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
        certificate.write_bytes(tls.certificate)
        key.write_bytes(tls.key)
        context.load_cert_chain(certificate, key)
    if tls.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=tls.client_ca.decode("ascii", "replace"))
    return context


def _stamp(files: Sequence[Path]) -> Stamp:
    """Return what changes when one of *files* does; a missing one counts as changed."""
    return tuple(_state(path) for path in files)


def _state(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return found.st_mtime_ns, found.st_size, found.st_ino


def self_signed(names: Sequence[str], now: datetime.datetime, days: int = SELF_SIGNED_DAYS) -> Tls:
    """Return a new key and a certificate for *names* (host names, addresses).

    For development, and for peers that encrypt and do not look at certificates.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "headrace self-signed")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_san(n) for n in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Tls(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsError(f"cannot read the {what} `{path}`: {error.strerror}") from error


def _certificate(pem: bytes, path: Path, what: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except ValueError as error:
        raise TlsError(f"the {what} `{path}` is no PEM certificate") from error


def _spki(key: object) -> bytes:
    public_bytes = getattr(key, "public_bytes", None)  # every kind of public key has it
    assert public_bytes is not None
    encoded: bytes = public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _san(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
