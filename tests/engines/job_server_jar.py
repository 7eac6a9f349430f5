"""One jar of many, since a job server sends Flink's workers the jars that it runs from."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

MANIFEST = """Manifest-Version: 1.0
Multi-Release: true
Main-Class: org.apache.beam.runners.flink.FlinkJobServerDriver

"""
SERVICES = "META-INF/services/"


def write_job_server_jar(target: Path, jars: Sequence[Path]) -> None:
    """Write the content of jars as one. Lists of services are joined; else the first jar counts."""
    services: dict[str, list[str]] = {}
    written = {"META-INF/MANIFEST.MF"}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as whole:
        whole.writestr("META-INF/MANIFEST.MF", MANIFEST)
        for jar in jars:
            with zipfile.ZipFile(jar) as part:
                for entry in part.infolist():
                    name = entry.filename
                    if name.startswith(SERVICES) and not entry.is_dir():
                        services.setdefault(name, []).append(part.read(entry).decode().strip())
                    elif name not in written and not entry.is_dir() and not _signs(name):
                        written.add(name)
                        whole.writestr(name, part.read(entry))
        for name, lists in services.items():
            whole.writestr(name, "\n".join(lists) + "\n")


def _signs(name: str) -> bool:
    """Whether a file holds the signature of a jar, which the whole does not bear."""
    return name.startswith("META-INF/") and name.endswith((".SF", ".RSA", ".DSA", ".EC"))
