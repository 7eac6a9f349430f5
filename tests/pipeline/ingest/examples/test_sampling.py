"""Down-sampled negatives leave their tasks' sample spaces, drawn by key."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.ingest.examples.sampling import recorded_rates, sampled

KEYED = 4000


def _sampled(
    tiny,
    count: int = KEYED,
    split: str = "train",
    sampling: dict[str, Any] | None = None,
    **changes: Any,
) -> pa.Table:
    """What is left of rows of which every other one was clicked; the regression `watch` lives in those."""
    settings = tiny.settings(sampling=sampling or {"negative_rate": 0.25}, **changes)
    return sampled(
        tiny.labelled([tiny.row(number) for number in range(count)], **changes)[0], split, settings
    )


def _clicks(rows: pa.Table) -> list[float]:
    return rows.column("label.click").drop_null().to_pylist()


def test_every_positive_stays_and_negatives_stay_at_their_rate(tiny) -> None:
    clicks = _clicks(_sampled(tiny, tasks__watch=None))
    assert clicks.count(1.0) == KEYED / 2
    # A quarter of 2,000, with a standard deviation of √(2000 · ¼ · ¾) = 19.
    assert 420 < clicks.count(0.0) < 580


def test_the_draw_follows_from_the_keys_alone(tiny) -> None:
    rows = [tiny.row(number) for number in range(1000)]
    settings = tiny.settings(sampling={"negative_rate": 0.25})
    first = sampled(tiny.labelled(rows)[0], "train", settings)
    other = [row | {"price": 9.0, "time_s": 5} for row in reversed(rows)]
    again = sampled(tiny.labelled(other)[0], "validation", settings)
    assert sorted(first.column("request_key").to_pylist()) == sorted(
        again.column("request_key").to_pylist()
    )


def test_without_keys_the_whole_record_draws(tiny) -> None:
    no_keys: dict[str, Any] = {
        "keys": {},
        "split": {"evaluation_files": ["*"]},
        "sampling": {"negative_rate": 0.25},
    }
    rows = tiny.labelled([tiny.row(number) for number in range(1000)], **no_keys)[0]
    assert 570 < sampled(rows, "train", tiny.settings(**no_keys)).num_rows < 680


def test_the_evaluation_is_never_sampled(tiny) -> None:
    assert _sampled(tiny, split="evaluation").num_rows == KEYED
    settings = tiny.settings(sampling={"negative_rate": 0.25})
    assert recorded_rates("evaluation", settings) == {"click": 1.0}
    assert recorded_rates("validation", settings) == {"click": 0.25}


def test_a_rate_of_a_task_leaves_other_tasks_all_their_examples(tiny) -> None:
    everywhere = {
        "kind": "regression",
        "label": {"rule": "column", "column": "price"},
        "metric": "mse",
        "threshold": 1,
        "tolerance": 1,
    }
    changes = {"tasks__watch": everywhere}
    settings = tiny.settings(sampling={"negative_rates": {"click": 0.25}}, **changes)
    rows = sampled(
        tiny.labelled([tiny.row(number) for number in range(KEYED)], **changes)[0],
        "train",
        settings,
    )
    assert rows.num_rows == KEYED
    assert rows.column("label.watch").null_count == 0
    assert 420 < _clicks(rows).count(0.0) < 580


def test_one_rate_leaves_a_regression_an_even_share(tiny) -> None:
    rows = _sampled(tiny)
    # `watch` lives in the 2,000 clicks, all of which stay for `click`; a quarter of them trains
    # `watch`.
    assert 420 < len(rows.column("label.watch").drop_null()) < 580


def test_a_rate_of_1_keeps_everything(tiny) -> None:
    assert _sampled(tiny, sampling={"negative_rate": 1.0}).num_rows == KEYED


def test_a_row_that_lies_in_no_sample_space_is_not_sampled(tiny) -> None:
    changes: dict[str, Any] = {
        "tasks__click__sample_space": {"event": "play_s", "equals": ["never"]}
    }
    rows = _sampled(tiny, **changes)
    # The 2,000 that were not clicked lie in no task's; a quarter of the others trains `watch`.
    assert rows.column("label.watch").null_count == KEYED / 2
    assert 2420 < rows.num_rows < 2580


def test_splits_do_not_depend_on_the_sampling(tiny) -> None:
    # The draws of the validation split and of the sampling are independent: each keeps its rate
    # within the other.
    rows = tiny.labelled([tiny.row(number, clicked=0) for number in range(KEYED)])[0]
    left = sampled(rows, "train", tiny.settings(sampling={"negative_rate": 0.5}))
    below = np.mean(left.column("digest_high").to_numpy() < 2**63)
    assert abs(below - 0.5) < 0.05


def test_examples_under_a_condition_stay_with_the_positives_of_the_condition(tiny) -> None:
    bought = {"kind": "binary", "given": "click", "label": {"rule": "event", "column": "bought"}}
    changes: dict[str, Any] = {"tasks__watch": None, "tasks__buy": bought | {"metric": "auc"}}
    settings = tiny.settings(sampling={"negative_rate": 0.25}, **changes)
    rows = [tiny.row(number, bought=number % 5 == 0) for number in range(KEYED)]
    kept = sampled(tiny.labelled(rows, **changes)[0], "train", settings)
    # Every tenth row was clicked (odd) and bought (a multiple of 5); 2,000 were clicked.
    bought_labels = kept.column("label.buy").drop_null().to_pylist()
    assert (len(bought_labels), bought_labels.count(1.0)) == (KEYED / 2, KEYED / 10)
    assert 420 < _clicks(kept).count(0.0) < 580
    assert recorded_rates("train", settings) == {"click": 0.25}
