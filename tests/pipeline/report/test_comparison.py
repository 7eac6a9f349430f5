"""Runs side by side."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from pipeline.evaluate.evaluation_result import Estimate, ValuesByPart
from pipeline.report.comparison import comparison
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.page import NoReportError, run_of_page

pytestmark = pytest.mark.usefixtures("without_plotly")


@pytest.fixture
def worse(run: RunData) -> RunData:
    """A second run whose click has an AUC of 0.70, and whose watch an MSE of 0.093."""
    assert run.evaluation is not None
    tasks = []
    for verdict, metric, value in zip(
        run.evaluation.tasks, ("auc", "mse"), (0.70, 0.093), strict=True
    ):
        whole = dataclasses.replace(verdict.slices[0], metrics={metric: Estimate(value=value)})
        tasks.append(
            dataclasses.replace(
                verdict, metrics={metric: value}, slices=[whole, *verdict.slices[1:]]
            )
        )
    evaluation = dataclasses.replace(run.evaluation, tasks=tasks)
    return dataclasses.replace(run, name="runs/second", evaluation=evaluation, gains=None)


def section(page: str, anchor: str) -> str:
    found = re.search(rf'<section id="{anchor}">(.*?)</section>', page, re.DOTALL)
    assert found is not None
    return " ".join(
        re.sub(
            r"<[^>]+>", " ", re.sub(r"<script.*?</script>", "", found[1], flags=re.DOTALL)
        ).split()
    )


def bubbles(page: str) -> dict[str, list[list[float]]]:
    found = re.search(
        r'<script type="application/json" data-values="[^"]*">(.*?)</script>', page, re.DOTALL
    )
    assert found is not None
    return json.loads(found[1])


def test_each_run_has_its_outcome(run: RunData, bare_run: RunData) -> None:
    text = section(comparison([run, bare_run]), "summary")
    assert "runs/first pushed toy ple" in text
    assert (
        "runs/second failed toy – 2026-01-08 08:30 – – 0 ValueError: the files of the log have no lines"
        in text
    )
    assert "The runs were not judged on the same examples" in text


def test_the_best_run_of_each_task_is_marked(run: RunData, worse: RunData) -> None:
    page = comparison([run, worse])
    text = section(page, "tasks")
    cannot_tell = "no interval: cannot tell"
    assert f"click AUC 0.7200 0.7000 ▼ -0.0200 {cannot_tell} 100 watch" in text
    assert f"watch MSE 0.1030 0.0930 ▲ -0.0100 {cannot_tell} 90" in text
    assert '<span class="good">0.7200</span>' in page
    assert '<span class="good">0.0930</span>' in page
    assert '<span class="good">0.7000</span>' not in page


def test_the_change_on_the_same_examples_stands_with_its_interval(
    run: RunData, worse: RunData
) -> None:
    def with_parts(of: RunData, values: list[float]) -> RunData:
        assert of.evaluation is not None
        click, *others = of.evaluation.tasks
        parts = ValuesByPart(examples="same", values={"auc": values})
        judged = dataclasses.replace(click, by_part=parts, positive_count=30)
        evaluation = dataclasses.replace(of.evaluation, tasks=[judged, *others])
        return dataclasses.replace(of, evaluation=evaluation)

    first = with_parts(run, [0.72, 0.71, 0.73, 0.72])
    second = with_parts(worse, [0.70, 0.69, 0.712, 0.70])
    # The differences without each part are −.02, −.018 and −.02: their mean is −.01933, the error
    # √(2/3 · (2 · .000667² + .001333²)) = .00133, and t of 2 degrees 4.303: ± .0057.
    text = section(comparison([first, second]), "tasks")
    assert "▼ -0.0200 -0.0257 to -0.0143 100 (30 positives)" in text
    assert "Change: runs/second minus runs/first" in text


def test_where_a_run_lacks_mtl_gains_the_bubbles_stand_against_the_first_run(
    run: RunData, worse: RunData
) -> None:
    page = comparison([run, worse])
    assert "so the first run stands in for them" in section(page, "mtl-gain")
    # click 0.70 - 0.72, and the error of watch falls from 0.103 to 0.093
    assert bubbles(page) == {
        "click": [[pytest.approx(-0.02), 0.0, 0.0]],
        "watch": [[pytest.approx(0.01), 0.0, 0.0]],
    }


def test_where_all_runs_have_mtl_gains_each_is_a_bubble(run: RunData, worse: RunData) -> None:
    page = comparison([run, dataclasses.replace(worse, gains=run.gains)])
    assert [[row[0] for row in rows] for rows in bubbles(page).values()] == [
        [0.03, 0.03],
        [-0.004, -0.004],
    ]


def test_the_counts_of_ingestion_stand_side_by_side(run: RunData, bare_run: RunData) -> None:
    text = section(comparison([run, bare_run]), "ingestion")
    assert "rejected 2.00% 0.00% rejected: malformed 15 0" in text


def test_runs_of_which_none_got_far_are_compared_all_the_same(bare_run: RunData) -> None:
    page = comparison([bare_run, dataclasses.replace(bare_run, name="third")])
    assert "None of the runs was evaluated" in section(page, "tasks")
    assert "There are no two tasks that could be compared" in section(page, "mtl-gain")


def test_a_comparison_is_no_report_of_one_run(run: RunData, worse: RunData, tmp_path: Path) -> None:
    (tmp_path / "comparison.html").write_text(comparison([run, worse]), encoding="utf-8")
    with pytest.raises(
        NoReportError, match=r"comparison.html compares 2 runs; give the report of one"
    ):
        run_of_page(tmp_path / "comparison.html")
