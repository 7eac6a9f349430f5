"""What is worth a look, and what is not."""

from __future__ import annotations

import dataclasses

from feature_spec.artifacts.training_ending import TrainingEnding
from pipeline.evaluate.evaluation_result import Estimate
from pipeline.ingest.accounting.limits import SourceLines
from pipeline.report.data.run_data import RunData
from pipeline.report.sections.alerts import _rejected, alerts


def sentences(run: RunData, anchor: str) -> list[str]:
    return [sentence for _, sentence, section in alerts(run) if section == anchor]


def with_click(run: RunData, **changes: Estimate) -> RunData:
    """The run with other metrics of click on the whole split."""
    assert run.evaluation is not None
    [click, watch] = run.evaluation.tasks
    whole = dataclasses.replace(click.slices[0], metrics={**click.slices[0].metrics, **changes})
    click = dataclasses.replace(click, slices=[whole, *click.slices[1:]])
    return dataclasses.replace(
        run, evaluation=dataclasses.replace(run.evaluation, tasks=[click, watch])
    )


def test_a_loss_within_the_tolerance_but_beyond_noise_is_worth_a_look(run: RunData) -> None:
    assert sentences(run, "tasks") == [
        "watch: MSE +0.0030 (+0.0010 to +0.0050), a loss within its tolerance 0.01"
    ]


def test_a_slice_that_nothing_protects_and_that_loses_more_than_the_tolerance_is_named(
    run: RunData,
) -> None:
    # tab=2 loses 0.05 (0.02 to 0.08); tab=1 gains.
    assert sentences(run, "slices") == [
        "click on tab=2: -0.0500 (-0.0800 to -0.0200) against the serving model"
    ]


def test_of_several_losing_slices_the_worst_is_named(run: RunData) -> None:
    assert run.evaluation is not None
    [click, watch] = run.evaluation.tasks
    worse = dataclasses.replace(
        click.slices[2], value="3", changes={"auc": Estimate(value=-0.2, lower=-0.25, upper=-0.15)}
    )
    evaluation = dataclasses.replace(
        run.evaluation, tasks=[dataclasses.replace(click, slices=[*click.slices, worse]), watch]
    )
    assert sentences(dataclasses.replace(run, evaluation=evaluation), "slices") == [
        "click on tab=3: -0.2000 (-0.2500 to -0.1500) against the serving model, and 1 more slice"
    ]


def test_a_refusal_stands_once_a_task(run: RunData) -> None:
    assert run.evaluation is not None
    [click, watch] = run.evaluation.tasks
    refusing = dataclasses.replace(
        click, refusals=["auc 0.5 is below the threshold 0.6", "worse on tab=1", "worse on tab=2"]
    )
    evaluation = dataclasses.replace(run.evaluation, tasks=[refusing, watch])
    found = sentences(dataclasses.replace(run, evaluation=evaluation), "tasks")
    assert "click: auc 0.5 is below the threshold 0.6, and 2 more reasons" in found


def test_scores_that_are_too_high_on_average_are_worth_a_look(run: RunData) -> None:
    assert sentences(run, "calibration") == ["click: scores are 25% too high on average"]


def test_a_calibration_that_may_be_right_is_not(run: RunData) -> None:
    assert (
        sentences(
            with_click(run, calibration=Estimate(value=1.25, lower=0.95, upper=1.55)), "calibration"
        )
        == []
    )


def test_a_change_without_an_interval_is_no_loss_that_stands_out(run: RunData) -> None:
    """Nobody can tell whether it is noise."""
    assert run.evaluation is not None
    [click, watch] = run.evaluation.tasks
    assert watch.change is not None
    untold = dataclasses.replace(watch, change=Estimate(value=watch.change.value))
    evaluation = dataclasses.replace(run.evaluation, tasks=[click, untold])
    assert sentences(dataclasses.replace(run, evaluation=evaluation), "tasks") == []


def test_negative_transfer_without_an_interval_does_not_stand_out(run: RunData) -> None:
    assert run.gains is not None
    tasks = [
        dataclasses.replace(gain, gain=gain.gain and Estimate(value=gain.gain.value))
        for gain in run.gains.tasks
    ]
    gains = dataclasses.replace(run.gains, tasks=tasks)
    assert sentences(dataclasses.replace(run, gains=gains), "mtl-gain") == []


def test_negative_transfer_beyond_noise_is_named(run: RunData) -> None:
    # -0.004 ± 0.002
    assert sentences(run, "mtl-gain") == [
        "watch: negative transfer, -0.0040 (-0.0060 to -0.0020) against the task trained alone"
    ]


def test_a_gate_that_has_collapsed_onto_an_expert_is_named(run: RunData) -> None:
    assert sentences(run, "experts") == [
        "Gate level_1/task_click gives 95% of its weight to own 1 of click"
    ]


def test_a_training_that_still_improved_at_its_end_asks_for_more_epochs(run: RunData) -> None:
    assert sentences(run, "training") == [
        "The validation loss still fell in the last epoch (2): more epochs may help"
    ]
    ended = {"validation_loss": [(1, 0.85), (2, 0.95)]}
    assert sentences(dataclasses.replace(run, curves=ended), "training") == []


def test_the_advice_on_a_training_fits_what_stopped_it(run: RunData) -> None:
    """The joint loss still falls in the curves of this run."""

    def advice(stopped_by: str, best_epoch: int) -> list[str]:
        ending = TrainingEnding.model_validate(
            {"epochs": 4, "best_epoch": best_epoch, "stopped_by": stopped_by, "patience": 2}
        )
        return sentences(dataclasses.replace(run, ending=ending), "training")

    assert advice("patience", 2) == []
    assert advice("epochs", 4) == [
        "The training ended at trainer.epochs (4) with its best epoch: more epochs may help"
    ]


def test_a_weight_that_decides_nothing_is_named(run: RunData) -> None:
    assert sentences(run, "formula") == [
        "The weight of watch (0.1) changes no top 10, even set to 0"
    ]


def test_a_latency_close_to_the_budget_is_worth_a_look(run: RunData) -> None:
    # 9 of 10 ms
    assert sentences(run, "service") == ["100 candidates take 9.0 ms at the p99, close to 10 ms"]


def test_many_rejected_lines_are_told_with_their_most_frequent_reason(run: RunData) -> None:
    # 20 of 1,000
    assert sentences(run, "ingestion") == [
        "2.0% of the log's lines were rejected, most of them as malformed (15)",
        # 1 of 50
        "2.0% of side table users's lines were rejected, most of them as malformed (1)",
    ]


def test_each_reason_above_a_hundredth_of_a_source_is_worth_a_look() -> None:
    # 150 of the 900 lines that 'where' keeps, of which 12 are 1.3 % and 5 are 0.6 %.
    reasons = {"orphan_action": 133, "late_action": 12, "malformed": 5}
    assert list(_rejected(SourceLines("the actions'", 1000, 100, reasons))) == [
        "16.7% of the actions' lines were rejected, most of them as orphan action (133)",
        "1.3% of the actions' lines were rejected as late action (12)",
    ]
    assert not list(_rejected(SourceLines("side table users's", 1000, 0, {"missing_key": 10})))


def test_drift_is_named_with_its_fields(run: RunData) -> None:
    assert sentences(run, "drift") == [
        "The examples have drifted since the last run that pushed a model, in hour"
    ]


def test_what_stops_a_model_stands_before_what_does_not(run: RunData) -> None:
    tones = [tone for tone, _, _ in alerts(run)]
    assert tones == sorted(tones, key=("bad", "warn").index)
    assert alerts(run)[0] == ("bad", "Anomalies in the examples, of age", "anomalies")


def test_of_a_run_that_failed_at_once_nothing_else_stands_out(bare_run: RunData) -> None:
    assert alerts(bare_run) == []
