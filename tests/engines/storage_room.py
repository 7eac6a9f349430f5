"""A room of its own for commands that use ``gs://``: a mount and a network namespace in which Google's names lead to a storage emulator.

TensorFlow has no setting for another endpoint, so that the names themselves have to lead elsewhere.
Nothing outside the namespaces changes, and nothing inside them reaches the network.

    unshare --mount --net python -m tests.engines.storage_room FOLDER BUCKET

serves until it is ended. FOLDER gets the certificates and credentials that commands need.
"""

from __future__ import annotations

import io
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import gcp_storage_emulator.server as emulator
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from gcp_storage_emulator.handlers.buckets import create_bucket
from gcp_storage_emulator.storage import Storage

NAMES = ("storage.googleapis.com", "www.googleapis.com", "iamcredentials.googleapis.com")
ANSWERS: dict[str, dict[str, Any]] = {
    "/oauth2/": {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"},
    # TensorFlow asks before it renames a folder.
    "/storageLayout": {"hierarchicalNamespace": {"enabled": False}},
    # Google's clients ask where credentials may be used.
    "/allowedLocations": {"locations": [], "encodedLocations": "0x0"},
}


def main(folder: Path, bucket: str) -> None:
    """Serve a bucket in memory, first of all to the names of Google's servers in this room."""
    _lead_names_here(folder / "hosts")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    _write_credentials(folder / "credentials.json")
    emulator.Router = _Router
    emulator._read_data = partial(_content_of, emulator._read_data)
    storage = Storage(use_memory_fs=True)
    create_bucket(bucket, storage)
    handler = partial(_Handler, storage)
    # A resumable upload goes on at a URI of http, which is what the emulator names.
    plain, encrypted = (ThreadingHTTPServer(("127.0.0.1", port), handler) for port in (80, 443))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*NAMES).configure_cert(context)
    encrypted.socket = context.wrap_socket(
        encrypted.socket, server_side=True, do_handshake_on_connect=False
    )
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    (folder / "serves").touch()
    encrypted.serve_forever()


def _lead_names_here(hosts: Path) -> None:
    hosts.write_text(f"127.0.0.1 localhost {' '.join(NAMES)}\n")
    subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def _write_credentials(file: Path) -> None:
    """Write the credentials of a service account that nobody has."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    credentials = {
        "type": "service_account",
        "project_id": "tests",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_id": "1",
        "client_email": "tests@tests.iam.gserviceaccount.com",
        "token_uri": "https://www.googleapis.com/oauth2/v4/token",
    }
    file.write_text(json.dumps(credentials))


def _content_of(read: Callable[..., Any], *request: Any) -> Any:
    """Return what a request brings; for the emulator, an empty object is no object."""
    content = read(*request)
    return b"" if content is None else content


class _Handler(emulator.RequestHandler):  # type: ignore[misc]
    """The emulator's, for requests as TensorFlow sends them."""

    disable_nagle_algorithm = True  # An answer is two packets, which else wait for each other.

    def parse_request(self) -> bool:
        """Read the body, whose length TensorFlow may give by chunks and by a number as well."""
        if not super().parse_request():
            return False
        if self.headers.get("Transfer-Encoding", "identity").lower() == "chunked":
            content = b"".join(iter(self._chunk, b""))
        else:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        del self.headers["Transfer-Encoding"], self.headers["Content-Length"]
        self.headers["Content-Length"] = str(len(content))
        self.rfile = io.BytesIO(content)
        return True

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        content: bytes = self.rfile.read(size)
        self.rfile.readline()
        return content


class _Router(emulator.Router):  # type: ignore[misc]
    """The emulator's, for one request at a time, and for questions that it does not know."""

    _one_at_a_time = threading.Lock()

    def handle(self, method: str) -> None:
        path = self._request_handler.path
        for part, known in ANSWERS.items():
            if part in path:
                answer = emulator.Response(self._request_handler)
                answer.json(known)
                answer.close()
                return
        with self._one_at_a_time:
            super().handle(method)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
