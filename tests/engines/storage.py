"""A storage emulator in a room of its own (`storage_room.py`), and commands within the room."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.catalogue import place
from tests.engines.ports import wait_for
from tests.wheel import REPOSITORY

NAMESPACES = ("--mount", "--net")
BUCKET = "bucket"


@contextlib.contextmanager
def running_storage(folder: Path) -> Iterator[list[str]]:
    """Serve `gs://bucket`; yields what goes before a command that is to see it.

    Skips the test where namespaces may not be made, as in most containers.
    """
    room = ["unshare", *NAMESPACES]
    if denied := subprocess.run(
        [*room, "true"], capture_output=True, text=True, check=False
    ).stderr:
        pytest.skip(f"no engines on this machine: {denied.strip()}")
    command = [*room, sys.executable, "-m", "tests.engines.storage_room", str(folder), BUCKET]
    environment = {**os.environ, "PYTHONPATH": str(place("storage_emulator"))}
    with (folder / "storage.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        wait_for((folder / "serves").exists, {"storage": server}, folder)
        # TensorFlow asks curl, Beam asks requests.
        given = {
            "CURL_CA_BUNDLE": folder / "authority.pem",
            "REQUESTS_CA_BUNDLE": folder / "authority.pem",
            "GOOGLE_APPLICATION_CREDENTIALS": folder / "credentials.json",
        }
        enter = ["nsenter", f"--target={server.pid}", *NAMESPACES, f"--wd={REPOSITORY}"]
        yield [*enter, "env", *(f"{name}={value}" for name, value in given.items())]
    finally:
        server.kill()
        server.wait()
