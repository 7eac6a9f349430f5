"""`fulcrum compile`: what it refuses, and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from pipeline.commands import add_to

GIVEN = {
    "--spec": "short_video",
    "--logs": "gs://bucket/logs",
    "--root": "gs://bucket/ranking/",
    "--image": "image:1",
}


def compile_pipeline(*options: str, **changed: str) -> Result:
    app = typer.Typer()
    add_to(app)
    given = [
        part
        for name, value in {
            **GIVEN,
            **{f"--{key}": value for key, value in changed.items()},
        }.items()
        for part in (name, value)
    ]
    return CliRunner().invoke(app, ["compile", *given, *options])


@pytest.mark.parametrize(
    ("options", "changed", "message"),
    [
        ([], {}, "say for which target: --kubeflow"),
        (
            ["--kubeflow"],
            {"output": "job.txt"},
            "--output job.txt: the name ends with .yaml, .yml or .json",
        ),
        (["--kubeflow"], {"logs": "logs"}, "--logs logs: pods do not see folders of this machine"),
        (
            ["--kubeflow"],
            {"root": "/shared/root"},
            "--root /shared/root: pods do not see folders of this machine",
        ),
        (["--kubeflow", "--tune"], {}, "short_video has no section 'tuner'"),
        (["--kubeflow", "--set", "trainer.epoch=3"], {}, "did you mean 'epochs'"),
        (["--kubeflow", "--model", "pla"], {}, "did you mean 'ple'"),
        (["--kubeflow", "--beam", "runner"], {}, "give key=value"),
    ],
)
def test_what_cannot_be_compiled_is_refused_before_anything_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    changed: dict[str, str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = compile_pipeline(*options, **{"output": "job.yaml", **changed})
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert message in result.output
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.tensorflow
def test_the_command_writes_the_file_and_says_what_is_left_out(tmp_path: Path) -> None:
    import yaml

    file = tmp_path / "job.yaml"
    drift = "drift={thresholds: {user_id: {l_infinity: 0.3}}}"
    result = compile_pipeline(
        "--kubeflow", "--set", drift, "--set", "trainer.epochs=7", output=str(file)
    )
    assert result.exit_code == 0, result.output
    assert f"Wrote {file}: 13 components, each in a pod of image:1." in result.output
    assert "Left out: drift." in result.output
    written = yaml.safe_load(file.read_text())
    assert written["defaultPipelineRoot"] == "gs://bucket/ranking/artifacts"
    trainer = written["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]["custom_config"][
        "runtimeValue"
    ]["constant"]
    assert r"\"epochs\":7" in trainer
