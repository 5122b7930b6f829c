"""A PostgreSQL that refuses every login, and quotes the password in its refusal, as no database should."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ENCRYPTION_REQUESTS = {80877103, 80877104}  # TLS, GSSAPI
_ASK_FOR_PASSWORD = b"R" + struct.pack("!ii", 8, 3)


class _Refusal(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while struct.unpack("!i", self._message()[:4])[0] in _ENCRYPTION_REQUESTS:
            self.wfile.write(b"N")
        self.wfile.write(_ASK_FOR_PASSWORD)
        self.rfile.read(1)
        password = self._message().rstrip(b"\0")
        fields = (
            b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed: no user has the password " + password + b"\0\0"
        )
        self.wfile.write(b"E" + struct.pack("!i", len(fields) + 4) + fields)

    def _message(self) -> bytes:
        (length,) = struct.unpack("!i", self.rfile.read(4))
        return self.rfile.read(length - 4)


@contextmanager
def refusing_postgres() -> Iterator[int]:
    """Listen on a free port of 127.0.0.1, which is given."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Refusal) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
