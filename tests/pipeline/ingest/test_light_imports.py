"""What reads and judges lines does without TensorFlow and Beam."""

from __future__ import annotations

import subprocess
import sys

PURE = [
    "ingest.labelling.log_tables",
    "ingest.log_check",
    "ingest.examples.split_assignment",
    "ingest.accounting.summary",
    "log_look.looking",
]


def test_the_pure_modules_load_neither_tensorflow_nor_beam() -> None:
    imports = "; ".join(f"import pipeline.{module}" for module in PURE)
    heavy = "{'tensorflow', 'apache_beam', 'tfx'} & set(sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; {imports}; print({heavy})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "set()"
