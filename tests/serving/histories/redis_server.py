"""A redis-server to test with: the machine's, or else that of Debian's packages, unpacked once.

The packages go into the user's cache folder, and nothing is installed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("redis-server", "redis-tools", "liblzf1", "libjemalloc2")


def program() -> list[str] | None:
    """Return the beginning of the command that starts a server; None if there is no server."""
    found = shutil.which("redis-server")
    if found is not None:
        return [found]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "fulcrum-tests" / "redis"
    if not folder.exists():
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            _unpack(folder)
    libraries = [str(path.parent) for path in folder.glob("usr/lib/*/libjemalloc.so*")]
    server = folder / "usr" / "bin" / "redis-server"
    if not libraries or not server.exists():
        return None
    return ["env", f"LD_LIBRARY_PATH={libraries[0]}", str(server)]


def _unpack(folder: Path) -> None:
    """Unpack the packages; of several processes, one unpacks for all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
        subprocess.run(
            ["apt-get", "download", *PACKAGES], cwd=beside, check=True, capture_output=True
        )
        for package in Path(beside).glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, Path(beside) / "root"], check=True)
        with contextlib.suppress(OSError):  # another process was first
            (Path(beside) / "root").rename(folder)


@contextlib.contextmanager
def running(command: list[str], folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a server that keeps nothing on disk; yield its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = ["--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    server = subprocess.Popen([*command, *settings], stdout=subprocess.DEVNULL)
    try:
        while True:
            assert server.poll() is None, "redis-server has ended"
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0", server
    finally:
        server.kill()
        server.wait()
