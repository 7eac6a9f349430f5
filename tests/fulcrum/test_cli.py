"""The command `fulcrum` itself, apart from the commands of the packages."""

from __future__ import annotations

import subprocess
import sys

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
