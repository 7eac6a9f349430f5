"""The examples of several days as those of one run."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.spans.span_window import span_number
from tests.pipeline.spans.test_window_summary import DAY, of_day

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def _examples(folder: Path, number: int) -> Any:
    """Examples of a day, of which there is but the summary."""
    from tfx.components.util import examples_utils
    from tfx.types import standard_artifacts

    examples = standard_artifacts.Examples()
    examples.uri, examples.span = str(folder), span_number(DAY + datetime.timedelta(days=number))
    examples.split_names = '["train", "validation"]'
    examples_utils.set_payload_format(examples, 6)
    examples_utils.set_file_format(examples, "tfrecords_gzip")
    folder.mkdir()
    (folder / "ingest_summary.json").write_text(of_day(number, 60, 6, 0.1).model_dump_json())
    return examples


def test_the_windows_artifact_has_the_totals_of_its_days(tmp_path: Path) -> None:
    from tfx.types import standard_artifacts

    from pipeline.spans.window_component import WindowExampleGen

    window = standard_artifacts.Examples()
    window.uri = str(tmp_path / "window")
    days = [_examples(tmp_path / f"day{number}", number) for number in (1, 2, 3)]
    WindowExampleGen.EXECUTOR_SPEC.executor_class().Do(
        {"training_days": days[:2], "evaluation_day": days[2:]}, {"examples": [window]}, {}
    )
    totals = {
        name: window.get_int_custom_property(name)
        for name in ("lines", "examples", "rejected", "sampled_out")
    }
    # Each day 68 lines, of which 2 are rejected.
    assert totals == {"lines": 204, "examples": 198, "rejected": 6, "sampled_out": 0}
