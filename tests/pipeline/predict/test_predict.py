"""`fulcrum predict` gives every usable line of a log, or every example, a row with the model's scores."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from fulcrum import cli

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC = """
name: tiny
keys: {user: user_id, item: item_id}
logs: {exposures: {path: "*.jsonl", format: jsonl}, max_rejected_share: 0.01}
split: {evaluation_files: [late.jsonl], validation_share: 0.000001}
sampling: {negative_rate: 0.5}
fields:
  x: {side: item, kind: numeric}
  tags: {side: item, kind: multi_categorical}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0.5, tolerance: 0.1}
  share:
    kind: binary
    label: {rule: event, column: shared}
    sample_space: {event: clicked}
    metric: auc
    threshold: 0.5
    tolerance: 0.1
ranking_formula: {weights: {click: 1.0}}
"""
# As the trainer gets it: without the keys, and the logs somewhere.
OF_MODEL = SPEC.replace("keys: {user: user_id, item: item_id}\n", "").replace("*.jsonl", "any")
# Of line n, x is n. Lines 0, 2 and 4 were clicked, and 0 was shared.
EARLY = [
    {"user_id": f"u{n}", "item_id": "i", "x": n, "tags": ["a", "b"][: n % 3], "clicked": n % 2 == 0, "shared": n == 0}
    for n in range(4)
]  # fmt: skip
LATE = [{"user_id": "u4", "item_id": "i", "x": 4, "clicked": True, "shared": False}]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    lines = [json.dumps(line) for line in EARLY]
    (folder / "early.jsonl").write_text("\n".join([*lines, "no JSON"]) + "\n")
    (folder / "late.jsonl").write_text(json.dumps(LATE[0]) + "\n")
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose newest model scores an example by the sigmoid of x."""
    from tests.pipeline.evaluate.evaluated import write_examples, write_model

    folder = tmp_path_factory.mktemp("root")
    for version in ("9", "10"):
        saved = write_model(folder / "made" / version, ["click", "share"]) / "Format-Serving"
        (saved / "assets.extra").mkdir()
        (saved / "assets.extra" / "feature_spec.yaml").write_text(OF_MODEL)
        if version == "10":
            (folder / "serving_model").mkdir()
            saved.rename(folder / "serving_model" / version)
    write_examples(
        folder / "artifacts" / "LogsExampleGen" / "examples" / "3",
        [{"x": 1.0, "user_key": "u", "label_of_click": 1.0, "mask_of_click": 1.0}] * 3,
    )
    return folder


def test_python_gets_the_same_file_and_what_became_of_each_line(root, logs, tmp_path):
    import fulcrum

    spec = fulcrum.parse_spec(SPEC)
    out, by_command = tmp_path / "python.parquet", tmp_path / "command.parquet"
    found = fulcrum.predict(root, out=out, spec=spec, logs=logs, fields=["x"])
    (tmp_path / "spec.yaml").write_text(SPEC)
    predict(
        root, by_command, "--spec", str(tmp_path / "spec.yaml"), "--logs", str(logs), "--field", "x"
    )
    keys = [("field_x", "ascending")]
    assert pq.read_table(out).sort_by(keys).equals(pq.read_table(by_command).sort_by(keys))
    assert (found.rows, found.model.name, found.tasks["click"].positives) == (5, "10", 3)
    assert (found.ingested.lines, found.ingested.totals["rejected"]) == (6, 1)
    with pytest.raises(ValueError, match="logs need the spec that says how to read them"):
        fulcrum.predict(root, out=out, logs=logs)
    with pytest.raises(ValueError, match="a spec says how to read logs; received tiny without any"):
        fulcrum.predict(root, out=out, spec=spec)
    with pytest.raises(ValueError, match="give logs or examples, not both"):
        fulcrum.predict(root, out=out, spec=spec, logs=logs, examples=["x"])


def predict(root: Path, out: Path, *options: str, code: int = 0) -> str:
    arguments = ["predict", "--model", str(root), "--out", str(out), *options]
    result = CliRunner(env={"COLUMNS": "200"}).invoke(cli.app, arguments)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def of_logs(root: Path, logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("out") / "p.parquet"
    (out.parent / "tiny.yaml").write_text(SPEC)
    options = ["--spec", str(out.parent / "tiny.yaml"), "--logs", str(logs)]
    options += ["--field", "x", "--field", "tags"]
    printed = predict(root, out, *options)
    rows = {row["user_key"]: row for row in pq.read_table(out).to_pylist()}
    return printed, rows


def test_every_usable_line_has_a_row_also_negatives_that_the_spec_samples(of_logs: Any) -> None:
    printed, rows = of_logs
    assert sorted(rows) == ["u0", "u1", "u2", "u3", "u4"]
    assert "6 lines = 5 predictions (evaluation 1, train 4) + 1 rejected (malformed 1)" in printed


def test_logs_without_a_file_that_judges_are_scored_too(
    root: Path, logs: Path, tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(SPEC)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "early.jsonl").write_bytes((logs / "early.jsonl").read_bytes())
    options = ["--spec", str(tmp_path / "tiny.yaml"), "--logs", str(tmp_path / "new")]
    printed = predict(root, tmp_path / "p.parquet", *options)
    assert "5 lines = 4 predictions (train 4) + 1 rejected (malformed 1)" in printed


def test_lines_that_where_leaves_out_are_in_the_account(
    root: Path, logs: Path, tmp_path: Path
) -> None:
    text = SPEC.replace("format: jsonl}", "format: jsonl, where: {user_id: [u1, u2, u4]}}", 1)
    assert text != SPEC
    (tmp_path / "tiny.yaml").write_text(text)
    options = ["--spec", str(tmp_path / "tiny.yaml"), "--logs", str(logs)]
    printed = predict(root, tmp_path / "p.parquet", *options)
    assert (
        "6 lines = 3 predictions (evaluation 1, train 2) + 1 rejected (malformed 1) + 2 left out by "
        "'where'" in printed
    )


def test_a_row_has_the_scores_that_the_served_model_gives_the_line(of_logs: Any) -> None:
    for number in range(5):
        row = of_logs[1][f"u{number}"]
        assert row["score_of_click"] == pytest.approx(1 / (1 + math.exp(-number)), rel=1e-6)
        assert row["log_ranking_score"] == number - 1000.0


def test_labels_are_null_outside_the_sample_space_of_their_task(of_logs: Any) -> None:
    _, rows = of_logs
    clicks = {key: row["label_of_click"] for key, row in sorted(rows.items())}
    shares = {key: row["label_of_share"] for key, row in sorted(rows.items())}
    masks = {key: row["mask_of_share"] for key, row in sorted(rows.items())}
    assert clicks == {"u0": 1.0, "u1": 0.0, "u2": 1.0, "u3": 0.0, "u4": 1.0}
    assert shares == {"u0": 1.0, "u1": None, "u2": 0.0, "u3": None, "u4": 0.0}
    assert masks == {"u0": True, "u1": False, "u2": True, "u3": False, "u4": True}


def test_keys_splits_and_the_fields_asked_for_stand_beside_them(of_logs: Any) -> None:
    row = of_logs[1]["u2"]
    assert (row["split"], row["item_key"], row["field_x"]) == ("train", "i", 2.0)
    assert row["field_tags"] == ["a", "b"]
    assert of_logs[1]["u4"]["split"] == "evaluation"
    assert row["request_key"] is row["event_time_us"] is None  # which the spec does not name


def test_weights_stand_beside_labels_for_metrics_outside(root: Path, tmp_path: Path) -> None:
    from tests.pipeline.evaluate.evaluated import write_examples

    write_examples(tmp_path, [{"x": 1.0, "weight_of_example": 0.5}, {"x": 1.0}])
    predict(root, tmp_path / "p.parquet", "--examples", f"{tmp_path}/Split-evaluation/*")
    rows = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert [row["weight_of_example"] for row in rows] == [0.5, None]


def test_a_task_is_summed_up_over_its_sample_space(of_logs: Any) -> None:
    # Of share: lines 0, 2 and 4, one of them shared; (0.5 + 0.8808 + 0.9820) / 3 = 0.7876.
    [line] = [line for line in of_logs[0].splitlines() if "share" in line]
    cells = [cell.strip() for cell in line.split("│")[1:-1]]
    assert cells == ["share", "3", "1", "0.33333", "0.7876"]


def test_without_logs_the_newest_evaluation_split_of_the_root_is_scored(
    root: Path, tmp_path: Path
) -> None:
    printed = predict(root, tmp_path / "p.parquet")
    rows = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert [row["split"] for row in rows] == ["evaluation"] * 3
    assert "3 predictions (evaluation 3)" in printed
    assert "serving_model/10" in printed


def test_examples_may_be_given_by_pattern(root: Path, tmp_path: Path) -> None:
    pattern = f"{root}/artifacts/*/examples/3/Split-evaluation/*"
    assert "3 predictions" in predict(root, tmp_path / "p.parquet", "--examples", pattern)


def test_what_cannot_be_scored_is_an_error_that_leaves_no_file(
    root: Path, logs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "p.parquet"
    both = ("--logs", str(logs), "--examples", "x")
    assert "give --logs or --examples, not both" in predict(root, out, *both, code=1)
    assert "no file matches --examples x" in predict(root, out, "--examples", "x", code=1)
    assert "field y: no such field" in predict(root, out, "--field", "y", code=1)
    changed = tmp_path.parent / "other.yaml"
    changed.write_text(SPEC.replace("x: {side: item", "x: {side: user"))
    other = predict(root, out, "--spec", str(changed), "--logs", str(logs), code=1)
    assert "--spec tiny is not that of the model: fields.x differs in its settings" in other
    assert "--logs needs --spec" in predict(root, out, "--logs", str(logs), code=1)
    strange = predict(root, out, "--examples", str(logs / "late.jsonl"), code=1)
    assert "late.jsonl: the model cannot score its records" in strange
    assert "neither an exported model" in predict(tmp_path, out, code=1)
    assert list(tmp_path.iterdir()) == []
