"""The command `fulcrum` itself, apart from the commands of the packages."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import fulcrum

PRINT_VERSION = """
import sys
from fulcrum.cli import main

sys.argv = ["fulcrum", "--version"]
try:
    main()
finally:
    heavy = {"tensorflow", "tf_keras", "tfx", "apache_beam", "pyarrow"} & sys.modules.keys()
    print(sorted(heavy), file=sys.stderr)
"""


def test_the_version_is_printed_and_nothing_heavy_is_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINT_VERSION], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"fulcrum {fulcrum.__version__}\n",
        "[]\n",
    )


LOADS_TENSORFLOW = """
import sys
import typer
from fulcrum import cli

@cli.app.command("load")
def load():
    import tensorflow

sys.argv = ["fulcrum", "load"]
cli.main()
"""


@pytest.mark.slow
@pytest.mark.tensorflow
def test_libraries_say_nothing_on_a_command() -> None:
    quiet = {
        name: value
        for name, value in os.environ.items()
        if name not in {"TF_CPP_MIN_LOG_LEVEL", "GRPC_VERBOSITY"}
    }
    done = subprocess.run(
        [sys.executable, "-c", LOADS_TENSORFLOW],
        capture_output=True, text=True, check=False, env=quiet,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
