"""The runner runs nodes in order, reuses what was done, and never passes over a failure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.runner.node_errors import NodeFailedError

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


@pytest.fixture(scope="module")
def tiny() -> Any:
    from tests.pipeline.runner import tiny_pipeline  # not sooner: it imports TFX

    return tiny_pipeline


def states(runs: list[Any]) -> dict[str, str]:
    return {run.node: run.state for run in runs}


def test_nodes_run_in_order_and_give_their_outputs(tmp_path: Path, tiny: Any) -> None:
    events: list[str] = []
    runs = tiny.run_pipeline(
        tiny.two_writers(tmp_path),
        on_start=lambda node: events.append(f"start {node}"),
        on_end=lambda run: events.append(f"end {run.node}"),
    )
    assert events == ["start First", "end First", "start Second", "end Second"]
    assert states(runs) == {"First": "done", "Second": "done"}
    assert (Path(runs[1].outputs["model"][0].uri) / "text").read_text() == "b"


def test_time_and_memory_of_a_node_are_measured(tmp_path: Path, tiny: Any) -> None:
    [run, _] = tiny.run_pipeline(tiny.two_writers(tmp_path))
    assert run.elapsed_s > 0
    assert run.peak_memory_bytes > 100_000_000  # TensorFlow alone takes more.


def test_a_second_run_reuses_all_and_gives_the_same_outputs(tmp_path: Path, tiny: Any) -> None:
    first = tiny.run_pipeline(tiny.two_writers(tmp_path))
    again = tiny.run_pipeline(tiny.two_writers(tmp_path))
    assert states(again) == {"First": "cached", "Second": "cached"}
    assert again[1].outputs["model"][0].uri == first[1].outputs["model"][0].uri


def test_a_changed_setting_repeats_its_node_and_those_after_it(tmp_path: Path, tiny: Any) -> None:
    tiny.run_pipeline(tiny.two_writers(tmp_path))
    assert states(tiny.run_pipeline(tiny.two_writers(tmp_path, second="c"))) == {
        "First": "cached",
        "Second": "done",
    }
    assert states(tiny.run_pipeline(tiny.two_writers(tmp_path, first="c"))) == {
        "First": "done",
        "Second": "done",
    }


def test_a_node_that_must_always_run_is_never_reused(tmp_path: Path, tiny: Any) -> None:
    tiny.run_pipeline(tiny.two_writers(tmp_path), always_run=("Second",))
    assert states(tiny.run_pipeline(tiny.two_writers(tmp_path), always_run=("Second",))) == {
        "First": "cached",
        "Second": "done",
    }


def test_a_failed_node_is_named_with_its_cause_and_the_nodes_after_it_do_not_run(
    tmp_path: Path, tiny: Any
) -> None:
    started: list[str] = []
    with pytest.raises(NodeFailedError) as failed:
        tiny.run_pipeline(tiny.two_writers(tmp_path, first="fail"), on_start=started.append)
    assert str(failed.value) == "First failed: ValueError: cannot write"
    assert failed.value.details == "line 3: too long\na note"
    assert started == ["First"]


def test_what_was_done_before_a_failure_is_reused(tmp_path: Path, tiny: Any) -> None:
    with pytest.raises(NodeFailedError, match="Second failed"):
        tiny.run_pipeline(tiny.two_writers(tmp_path, second="fail"))
    assert states(tiny.run_pipeline(tiny.two_writers(tmp_path))) == {
        "First": "cached",
        "Second": "done",
    }


def test_inputs_that_cannot_be_resolved_are_a_failure_although_the_launcher_raises_nothing(
    tmp_path: Path, tiny: Any
) -> None:
    writer = tiny.Writer("a")
    nothing = tiny.resolver.Resolver(
        strategy_class=tiny.Nothing, source=writer.outputs["model"]
    ).with_id("Nothing")
    with pytest.raises(NodeFailedError, match="^Reader failed: .*"):
        tiny.run_pipeline(
            tiny.pipeline_of(tmp_path, writer, nothing, tiny.Reader(nothing.outputs["source"]))
        )


def test_what_a_killed_run_left_under_way_is_closed_and_its_unfinished_output_removed(
    tmp_path: Path, tiny: Any
) -> None:
    tiny.run_pipeline(tiny.two_writers(tmp_path))
    connection = tiny.metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))
    with tiny.metadata.Metadata(connection) as handle:
        [execution, *_] = handle.store.get_executions()
        left = tiny.metadata_store_pb2.Execution(
            type_id=execution.type_id, last_known_state=tiny.metadata_store_pb2.Execution.RUNNING
        )
        [left_id] = handle.store.put_executions([left])
    unfinished = tmp_path / "artifacts" / "First" / "model" / str(left_id)
    unfinished.mkdir()
    assert states(tiny.run_pipeline(tiny.two_writers(tmp_path))) == {
        "First": "cached",
        "Second": "cached",
    }
    assert not unfinished.exists()
    with tiny.metadata.Metadata(connection) as handle:
        [closed] = handle.store.get_executions_by_id([left_id])
    assert closed.last_known_state == tiny.metadata_store_pb2.Execution.FAILED


def test_arguments_of_the_command_line_do_not_reach_tfx(
    tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["fulcrum", "-v", "run"])
    [run, _] = tiny.run_pipeline(tiny.two_writers(tmp_path, first="arguments"))
    assert (Path(run.outputs["model"][0].uri) / "text").read_text() == "fulcrum"
    assert sys.argv == ["fulcrum", "-v", "run"]


def test_options_of_beams_file_systems_are_known_before_the_first_beam_pipeline(
    tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import S3Options

    monkeypatch.setattr(FileSystems, "_pipeline_options", None)
    pipeline = tiny.two_writers(tmp_path)
    pipeline.beam_pipeline_args.append("--s3_region_name=eu-north-1")
    regions: list[str] = []
    tiny.run_pipeline(
        pipeline,
        on_start=lambda _: regions.append(
            FileSystems._pipeline_options.view_as(S3Options).s3_region_name
        ),
    )
    assert regions == ["eu-north-1"] * 2
