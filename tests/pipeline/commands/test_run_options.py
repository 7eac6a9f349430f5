"""Options that commands share: places of files, and options for Beam."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from pipeline.commands import add_to, run_options
from pipeline.commands.run_options import ArtifactsLocation, LogsLocation, beam_arguments

REPOSITORY = Path(__file__).parents[3]


def given(*arguments: str) -> Result:
    """What a command receives."""
    app = typer.Typer()

    @app.command()
    def command(logs: LogsLocation = "", artifacts: ArtifactsLocation = None) -> None:
        print(logs, artifacts)

    return CliRunner().invoke(app, [*arguments])


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setattr(run_options, "known_schemes", lambda: ({"gs", "hdfs"}, {"gs", "ram"}))
    (tmp_path / "logs").mkdir()
    monkeypatch.chdir(tmp_path)


def test_folders_become_absolute_and_that_of_artifacts_need_not_be_there(tmp_path: Path) -> None:
    assert given("--logs", "logs", "--artifacts", "new").output.split() == [
        str(tmp_path / "logs"),
        str(tmp_path / "new"),
    ]


def test_uris_are_taken_as_they_are_without_a_slash_at_their_end() -> None:
    assert given("--logs", "gs://a/logs/", "--artifacts", "gs://a/run").output.split() == [
        "gs://a/logs",
        "gs://a/run",
    ]


def test_logs_may_lie_where_only_beam_reads() -> None:
    assert given("--logs", "hdfs://a/logs/").output.split()[0] == "hdfs://a/logs"


def test_without_the_option_the_root_decides() -> None:
    assert given("--logs", "logs").output.split()[1] == "None"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        (
            "--artifacts",
            "hdfs://a/b",
            "hdfs:// is no file system here for TensorFlow; Beam and TensorFlow both know gs://",
        ),
        ("--artifacts", "ram://a/b", "ram:// is no file system here for Beam; "),
        ("--artifacts", "nowhere://a", "nowhere:// is no file system here for Beam and TensorFlow"),
        ("--logs", "ram://a/b", "ram:// is no file system here for Beam; Beam knows "),
        ("--artifacts", "gs:/a/b", "write gs://a/b"),
        ("--logs", "gs:/a/b", "write gs://a/b"),
        ("--logs", "not_there", "there is no folder not_there"),
    ],
)
def test_what_is_not_known_is_wrong_usage_that_names_option_value_and_what_is_known(
    option: str, value: str, message: str
) -> None:
    result = given(option, value)
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.output
    assert value in result.output
    assert message in result.output


@pytest.mark.parametrize("command", ["run", "backfill"])
def test_a_run_ends_before_it_writes_anything(command: str, tmp_path: Path) -> None:
    app = typer.Typer()
    add_to(app)
    days = ["--from", "2022-05-03", "--to", "2022-05-04"] if command == "backfill" else []
    arguments = [
        "--spec",
        "short_video",
        "--logs",
        "logs",
        "--root",
        "root",
        "--artifacts",
        "nowhere://a",
        *days,
    ]
    assert CliRunner().invoke(app, [command, *arguments]).exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


@pytest.mark.slow
@pytest.mark.tensorflow
def test_cloud_storage_is_known_to_both_and_asking_prints_nothing() -> None:
    program = "from pipeline.commands.run_options import known_schemes; beam, tf = known_schemes(); print('gs' in beam & tf, 'hdfs' in tf)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("True False\n", "")


def test_by_default_beam_runs_in_this_process() -> None:
    assert beam_arguments([])[:2] == ["--runner=DirectRunner", "--direct_running_mode=in_memory"]


def test_nothing_is_packaged_for_workers_in_this_process_only() -> None:
    assert "--sdk_container_image=none" in beam_arguments(["experiments=a"])
    assert "--sdk_container_image=none" in beam_arguments(
        ["runner=PortableRunner", "environment_type=LOOPBACK"]
    )
    assert "--sdk_container_image=none" not in beam_arguments(["runner=FlinkRunner"])


def test_an_option_takes_the_place_of_the_default_of_the_same_name() -> None:
    assert beam_arguments(["runner=FlinkRunner"]) == [
        "--direct_running_mode=in_memory",
        "--runner=FlinkRunner",
    ]


def test_options_go_on_unchanged_even_if_repeated() -> None:
    assert beam_arguments(["experiments=a=1", "experiments=b"])[-2:] == [
        "--experiments=a=1",
        "--experiments=b",
    ]


@pytest.mark.parametrize("option", ["runner", "--runner=FlinkRunner", "=x"])
def test_an_option_that_is_not_a_pair_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match="give key=value, such as runner=FlinkRunner"):
        beam_arguments([option])
