"""What `test_run_in_storage.py` has done in a bucket, in one process, so that TFX is imported once.

    python -m tests.engines.storage_story FOLDER URI

takes the spec and the logs from FOLDER, runs the pipeline twice with logs and artifacts below URI,
then the commands that read artifacts, and writes FOLDER/story.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from apache_beam.io.filesystems import FileSystems
from typer.testing import CliRunner

from fulcrum import cli
from tests.integration.test_remote_artifacts import run


def main(folder: Path, uri: str) -> None:
    for file in (folder / "logs").iterdir():
        with FileSystems.create(f"{uri}/logs/{file.name}") as remote:
            remote.write(file.read_bytes())
    root = str(folder / "root")
    story: dict[str, Any] = {}
    for name in ("first", "again"):
        ended = run(folder, f"{uri}/logs", Path(root), "--artifacts", f"{uri}/run")
        story[name] = {"output": ended.output, "summary": ended.summary, "states": ended.states}
    story["commands"] = {
        arguments[0]: _said(*arguments)
        for arguments in (
            ("rejects", "--root", root),
            ("report", "--root", root, "--out", f"{folder}/report.html"),
            ("compare", f"{root}@1", f"{root}@2", "--out", f"{folder}/comparison.html"),
            ("inspect", "--model", root),
            ("predict", "--model", root, "--out", f"{folder}/scores.parquet"),
            ("tune-formula", "--model", root, "--objective", "click", "--trials", "2"),
        )
    }
    (folder / "story.json").write_text(json.dumps(story), encoding="utf-8")


def _said(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(cli.app, arguments)
    unexpected = not isinstance(result.exception, SystemExit | None)
    said = f"{result.output}{result.exception!r}" if unexpected else result.output
    return {"exit_code": result.exit_code, "output": said}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
