"""`make engines`: fetch the engines that tests run on into a cache outside the repository.

What is there already stays. What cannot be had is named at the end, with the reason, and the exit
code is 1.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.engines.catalogue import ENGINES, FOLDER, place
from tests.engines.job_server_jar import write_job_server_jar


class NotToBeHadError(Exception):
    """Why an engine cannot be had here."""


def main() -> int:
    """Fetch each engine that is missing; returns the exit code."""
    missing = []
    for engine, fetch in FETCH.items():
        if not place(engine).is_dir():
            print(f"{engine}: fetching …", flush=True)
            place(engine).parent.mkdir(parents=True, exist_ok=True)
            try:
                with tempfile.TemporaryDirectory(dir=place(engine).parent) as beside:
                    fetch(ENGINES[engine], Path(beside), Path(beside) / "whole")
                    _put_in_place(Path(beside) / "whole", place(engine))
            except NotToBeHadError as error:
                missing.append(f"{engine}: cannot be had: {error}")
                continue
        print(f"{engine}: {place(engine)}")
    print(*missing, sep="\n", end="\n" if missing else "")
    return 1 if missing else 0


def _put_in_place(whole: Path, target: Path) -> None:
    """Move an engine to its place, unless another process has put it there meanwhile."""
    try:
        whole.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def fetch_flink(entry: dict[str, Any], scratch: Path, whole: Path) -> None:
    """Take Flink's jars out of the package that PyFlink brings them in."""
    requirement = f"{entry['package']}=={entry['version']}"
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
    _run([*pip, "--no-build-isolation", "--dest", str(scratch), requirement])
    (archive,) = scratch.glob("*.tar.gz")
    _check(archive, entry["sha256"])
    (whole / "lib").mkdir(parents=True)
    with tarfile.open(archive) as packed:
        for member in packed:
            folder, name = os.path.split(member.name)
            # Without Flink's tables, which have the size of all the rest.
            if folder.endswith("/deps/lib") and "table" not in name:
                member.name = name
                packed.extract(member, whole / "lib", filter="data")
    archive.unlink()


def fetch_job_server(entry: dict[str, Any], scratch: Path, whole: Path) -> None:
    """Make one jar of Beam's Flink runner and what it needs, as Beam's own job servers are."""
    jars = _fetch_jars(entry, scratch / "jars")
    whole.mkdir()
    write_job_server_jar(whole / "job_server.jar", jars)


def fetch_boot(entry: dict[str, Any], scratch: Path, whole: Path) -> None:
    """Build Beam's program that starts a worker; Go checks the source's checksum, and so do we."""
    target = f"{entry['module']}/{entry['package']}@v{entry['version']}"
    _run(["go", "install", target], GOBIN=str(scratch))
    built = scratch / Path(entry["package"]).name
    modules = _run(["go", "version", "-m", str(built)])
    if entry["sum"] not in modules:
        raise NotToBeHadError(f"{target} is not of checksum {entry['sum']}:\n{modules}")
    whole.mkdir()
    built.rename(whole / "boot")


def fetch_kafka(entry: dict[str, Any], scratch: Path, whole: Path) -> None:
    """Fetch the jars of a broker."""
    _fetch_jars(entry, whole / "lib")


def fetch_storage_emulator(entry: dict[str, Any], scratch: Path, whole: Path) -> None:
    """Unpack a wheel that needs nothing but what the project has."""
    requirement = f"{entry['package']}=={entry['version']}"
    _run([sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(scratch), requirement])  # fmt: skip
    (wheel,) = scratch.glob("*.whl")
    _check(wheel, entry["sha256"])
    shutil.unpack_archive(wheel, whole, "zip")
    wheel.unlink()


FETCH: dict[str, Callable[[dict[str, Any], Path, Path], None]] = {
    "flink": fetch_flink,
    "job_server": fetch_job_server,
    "boot": fetch_boot,
    "kafka": fetch_kafka,
    "storage_emulator": fetch_storage_emulator,
}


def _fetch_jars(entry: dict[str, Any], folder: Path) -> list[Path]:
    """Let Maven fetch jars, and hold them to the list of checksums; returns them by name."""
    pom = FOLDER / f"{entry['jars']}.xml"
    maven = ["mvn", "--batch-mode", "--quiet", "--file", str(pom), "dependency:copy-dependencies"]
    _run([*maven, f"-DoutputDirectory={folder}", "-DincludeScope=runtime", "-Dmdep.useBaseVersion"])
    lines = (FOLDER / f"{entry['jars']}.sha256").read_text().splitlines()
    listed = {name: checksum for checksum, name in (line.split() for line in lines)}
    received = {jar.name for jar in folder.iterdir()}
    if received != set(listed):
        raise NotToBeHadError(f"{pom.name}: other jars than listed: {received ^ set(listed)}")
    for name, checksum in listed.items():
        _check(folder / name, checksum)
    return [folder / name for name in sorted(listed)]


def _check(file: Path, expected: str) -> None:
    """Refuse a file of another checksum."""
    with file.open("rb") as content:
        received = hashlib.file_digest(content, "sha256").hexdigest()
    if received != expected:
        raise NotToBeHadError(f"{file.name} has checksum {received}; {expected} is listed")


def _run(command: list[str], **environment: str) -> str:
    """Run a command; returns what it printed."""
    try:
        done = subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise NotToBeHadError(f"{command[0]} is not on this machine") from None
    if done.returncode:
        # The tool's own words; the last lines of Maven are advice.
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = [line for line in said if "ERROR" in line][:3] or said[-3:]
        raise NotToBeHadError(f"{' '.join(command)}\n    " + "\n    ".join(errors))
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
