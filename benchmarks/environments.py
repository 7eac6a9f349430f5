"""Throw-away Python environments for the peers that Fulcrum is measured against."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.worker import FOLDER

REQUIREMENTS = {
    "deepctr": ["deepctr==0.9.4", "tensorflow==2.21.*", "tf-keras==2.21.*", "setuptools"],
    "torch_rechub": ["torch==2.13.0", "torch-rechub==0.9.0", "pandas"],
    "duckdb": ["duckdb==1.4.*"],
}


def python_of(system: str) -> Path:
    """Return the Python of a peer's environment, and install the environment where needed.

    An environment is installed once. It is installed again if the installation was cut short or
    the requirements have changed. Packages come from the package registry.
    """
    folder = FOLDER / system
    python = folder / "bin" / "python"
    installed = folder / "installed"
    requirements = "\n".join(REQUIREMENTS[system])
    if not installed.exists() or installed.read_text(encoding="utf-8") != requirements:
        sys.stdout.write(f"Installing {system} into {folder} …\n")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *REQUIREMENTS[system]], check=True
        )
        installed.write_text(requirements, encoding="utf-8")
    return python
