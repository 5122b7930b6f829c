"""TLS certificates for 127.0.0.1: one that nothing trusts, and one of a private certificate authority."""

import ipaddress
import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

FILE_NAME = "self-signed.pem"
CA_FILE_NAME = "private-ca.pem"


def self_signed_server(folder: Path) -> ssl.SSLContext:
    """Return what a server needs to show the certificate, which is kept in the folder, with its key, as FILE_NAME."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _server(folder / FILE_NAME, _certificate("127.0.0.1", key, "127.0.0.1", key), key)


def private_ca_server(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server's context with a certificate of a private authority, and the PEM file of that authority."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = folder / CA_FILE_NAME
    authority.write_bytes(_pem(_certificate("Private CA", ca_key, "Private CA", ca_key, is_authority=True)))
    certificate = _certificate("127.0.0.1", key, "Private CA", ca_key)
    return _server(folder / "server.pem", certificate, key), authority


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool = False,
) -> x509.Certificate:
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder(_name(issuer), _name(name), key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2018, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2118, 1, 1, tzinfo=UTC))
    )
    if is_authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    else:
        builder = builder.add_extension(here, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _server(file: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + _pem(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
