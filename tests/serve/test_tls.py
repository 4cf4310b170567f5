# SPDX-License-Identifier: Apache-2.0
"""TLS, and clients that must show a certificate."""

from __future__ import annotations

import datetime
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import grpc
import pytest
import tritonclient.grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.serve.conftest import HOST
from tests.serve.running import FREE, serving
from tinyserve.bundle import Bundle
from tinyserve.errors import FileSystemError, UsageError
from tinyserve.serve import config, credentials


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in files."""

    certificate: Path
    key: Path


def certificate(folder: Path, name: str) -> Pair:
    """One that signs itself, for this computer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    pair.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pair


def test_only_clients_with_a_certificate_are_served(shapes: Bundle, tmp_path: Path) -> None:
    ours, theirs = certificate(tmp_path, "server"), certificate(tmp_path, "client")
    server = 'certificate = "server.pem"\nkey = "server.key"\nclient_ca = "client.pem"\n'
    with serving(FREE + server + HOST.format(bundle=shapes.path), tmp_path) as served:
        address = f"https://{served.rest}/v2"
        plain = ssl.create_default_context(cafile=str(ours.certificate))
        with pytest.raises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
            urllib.request.urlopen(address, timeout=30, context=plain)
        known = ssl.create_default_context(cafile=str(ours.certificate))
        known.load_cert_chain(theirs.certificate, theirs.key)
        with urllib.request.urlopen(address, timeout=30, context=known) as reply:
            assert reply.status == 200
        with tritonclient.grpc.InferenceServerClient(
            served.grpc, ssl=True, root_certificates=str(ours.certificate), private_key=str(theirs.key),
            certificate_chain=str(theirs.certificate),
        ) as client:  # fmt: skip
            assert client.is_server_live()
        trusted = grpc.ssl_channel_credentials(ours.certificate.read_bytes())
        with grpc.secure_channel(served.grpc, trusted) as channel, pytest.raises(grpc.FutureTimeoutError):
            grpc.channel_ready_future(channel).result(timeout=1)


@pytest.mark.parametrize("token", ["", "short", "with\nnewline-in-the-middle", "päßword-päßword-pä"])
def test_tokens_that_can_be_guessed_are_refused(token: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token, encoding="utf-8")
    parsed = config.parse(FREE + 'token_file = "token"\n' + HOST.format(bundle="x"), tmp_path / "fleet.toml")
    with pytest.raises(UsageError, match="openssl"):
        credentials.load(parsed)
    (tmp_path / "token").unlink()
    with pytest.raises(FileSystemError):
        credentials.load(parsed)
