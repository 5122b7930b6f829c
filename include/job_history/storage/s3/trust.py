"""Which certificates a store is verified against: the same for each client."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

from job_history.errors import PermanentError
from job_history.errors.code import Code

# Where Linux distributions keep the certificates that they trust, Debian's first.
_SYSTEM_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def trust_of(verify: Any) -> bool | str:
    """Return what botocore verifies certificates against; True for its own list, which becomes this machine's.

    Raises PermanentError if it is no file with certificates.
    """
    if verify is True or verify is None:
        return True
    if verify is False:
        return False
    if not isinstance(verify, str) or not Path(verify).is_file():
        raise _no_bundle(verify, "is no file")
    try:
        ssl.create_default_context(cafile=verify)
    except OSError:
        raise _no_bundle(verify, "cannot be read, or is no list of certificates in PEM") from None
    return verify


def _no_bundle(verify: Any, fault: str) -> PermanentError:
    detail = f"the CA bundle {verify!r} {fault}"
    return PermanentError(
        f"T{detail[1:]} (extra `verify` of the connection, or AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE). Name a file with "
        "certificates in PEM; `verify` may also be true or false, without quotation marks.",
        code=Code.S3_TLS_FAILED,
        detail=detail,
    )


def system_certificates() -> str | None:
    """Return the file with the certificates that this machine trusts; None if it is not known."""
    named = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_SYSTEM_CERTIFICATES)
    return next((path for path in named if path and Path(path).is_file()), None)
