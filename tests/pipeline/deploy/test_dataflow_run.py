"""The script that runs the pipeline on Dataflow: run with a stand-in for `fulcrum`, its options are held to Beam's own checks."""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "pipeline" / "deploy" / "dataflow" / "run.sh"
GIVEN = {
    "PROJECT": "my-project",
    "REGION": "europe-west1",
    "BUCKET": "my-bucket",
    "NAME": "first",
    "IMAGE": "europe-west1-docker.pkg.dev/my-project/ranking/fulcrum-pipeline:0.2.0",
}
# Beam else asks Cloud Storage about the bucket, and Dataflow to run the job.
DRY = ["--dry_run=true"]


def _called(
    tmp_path: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    stand_in = tmp_path / "fulcrum"
    stand_in.write_text('#!/bin/sh\nfor argument in "$@"; do printf "%s\\n" "$argument"; done\n')
    stand_in.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", SCRIPT, *arguments],
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """What the script gives to `fulcrum`."""
    done = _called(tmp_path, "--spec", "short_video", **GIVEN)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def _beam_options(arguments: list[str]) -> list[str]:
    return [value for option, value in itertools.pairwise(arguments) if option == "--beam"]


def _refusals(options: list[str]) -> list[str]:
    """Options that Beam does not know, and what its validator has against the others."""
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
    from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

    from pipeline.commands.run_options import beam_arguments

    parsed = PipelineOptions([*beam_arguments(options), *DRY])
    unknown = {option.partition("=")[0] for option in options} - parsed.get_all_options().keys()
    return [*sorted(unknown), *PipelineOptionsValidator(parsed, DataflowRunner()).validate()]


def test_fulcrum_run_takes_the_arguments(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer

    from pipeline.commands import add_to, run_options

    # Loading TensorFlow to ask it would take seconds.
    monkeypatch.setattr(run_options, "known_schemes", lambda: ({"gs"}, {"gs"}))
    app = typer.Typer()
    add_to(app)
    command: Any = typer.main.get_command(app)
    assert arguments[0] == "run"
    parsed = command.commands["run"].make_context("run", arguments[1:]).params
    assert (parsed["spec"], parsed["logs"]) == ("short_video", "gs://my-bucket/logs")
    assert (str(parsed["root"]), parsed["artifacts"]) == ("runs/first", "gs://my-bucket/runs/first")
    assert list(parsed["beam"]) == _beam_options(arguments)


def test_beam_knows_every_option_and_finds_them_valid_together(arguments: list[str]) -> None:
    options = _beam_options(arguments)
    assert "runner=DataflowRunner" in options
    assert _refusals(options) == []


def test_an_option_that_is_given_takes_the_place_of_the_scripts(tmp_path: Path) -> None:
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.commands.run_options import beam_arguments

    done = _called(tmp_path, "--spec", "short_video", "--beam", "max_num_workers=50", **GIVEN)
    options = PipelineOptions(beam_arguments(_beam_options(done.stdout.splitlines())))
    assert options.get_all_options()["max_num_workers"] == 50


@pytest.mark.parametrize(
    ("right", "wrong", "refusal"),
    [
        ("max_num_workers=20", "max_num_worker=20", "max_num_worker"),
        ("max_num_workers=20", "max_num_workers=1", "max_num_workers"),
        ("project=my-project", "project=12", "12"),
    ],
)
def test_the_check_would_find_a_wrong_option(
    arguments: list[str], right: str, wrong: str, refusal: str
) -> None:
    options = _beam_options(arguments)
    options[options.index(right)] = wrong
    assert any(refusal in found for found in _refusals(options))


def test_a_variable_that_is_not_set_stops_the_script_and_is_named(tmp_path: Path) -> None:
    done = _called(
        tmp_path,
        "--spec",
        "short_video",
        **{name: value for name, value in GIVEN.items() if name != "BUCKET"},
    )
    assert done.returncode != 0
    assert "BUCKET" in done.stderr
    assert done.stdout == ""


def test_the_image_is_that_of_the_dockerfile(dockerfile: Any) -> None:
    assert f"--tag {GIVEN['IMAGE'].rpartition('/')[2]} " in dockerfile.content
    assert GIVEN["IMAGE"] in SCRIPT.read_text()


@pytest.mark.slow
@pytest.mark.tensorflow
def test_dataflows_runner_takes_the_ingestion_up_to_its_submission(
    arguments: list[str], tmp_path: Path
) -> None:
    import apache_beam as beam

    from feature_spec.loading import load_spec
    from feature_spec.names import SPLITS
    from pipeline.commands.run_options import beam_arguments
    from pipeline.ingest.beam_ingestion import IngestLogs
    from pipeline.ingest.log_check import check_logs
    from pipeline.ingest.settings.ingest_config import IngestSettings
    from pipeline.simulator.simulate import simulate_logs
    from pipeline.simulator.simulation_config import SimulationSettings

    simulate_logs(SimulationSettings(days=3, rows_per_day=50, seed=5), tmp_path / "logs")
    settings = IngestSettings.from_spec(load_spec("short_video"))
    files = check_logs(settings, str(tmp_path / "logs"))
    options = beam.options.pipeline_options.PipelineOptions(
        [*beam_arguments(_beam_options(arguments)), *DRY]
    )
    pipeline = beam.Pipeline(options=options)
    _ = pipeline | IngestLogs(
        settings,
        files,
        "gs://my-bucket/x",
        {split: f"gs://my-bucket/x/{split}" for split in SPLITS},
    )
    job = pipeline.run().job
    environments = job.proto_pipeline.components.environments.values()
    images = [GIVEN["IMAGE"].encode() in one.payload for one in environments if one.payload]
    assert images
    assert all(images)
