"""What stops a run for certain is told apart from what may spoil its model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from pipeline.log_look.looking import Findings
from tests.pipeline.ingest.conftest import Tiny

Looked = Callable[..., Findings]


def test_columns_and_files_that_are_missing_are_told_together(looked: Looked) -> None:
    found = looked(
        fields__price__column="pricy",
        logs__tables__users={"path": "user.csv", "format": "csv", "key": "user_id"},
    )
    [failure] = found.failures
    assert failure.splitlines()[1:] == [
        "  logs.tables.users.path: 'user.csv' matches no file in "
        + failure.split()[3]
        + ": valid: users.jsonl",
        "  fields.price: no column 'pricy' in day*: did you mean 'price'?",
    ]


def test_too_many_rejected_lines_are_a_failure_with_an_example_of_each_reason(
    looked: Looked, logs: Path
) -> None:
    Tiny.write(logs / "day2.jsonl", [Tiny.row(500 + n, 1, price="dear") for n in range(300)])
    [failure] = looked().failures
    assert "300 of the log's 400 lines were rejected, 75.0%" in failure
    assert "day2.jsonl: wrong_type: price: a number is needed; received 'dear'" in failure


def test_a_split_that_leaves_nothing_to_train_on_is_a_failure(looked: Looked) -> None:
    [failure] = looked(split__evaluation_days=2).failures
    assert "no day is left to train on" in failure


def test_rejected_lines_of_a_sample_are_a_warning(looked: Looked, logs: Path) -> None:
    for day in range(2):
        Tiny.write(
            logs / f"day{day}.jsonl",
            [Tiny.row(10**6 * day + n, day, price="dear" if n % 4 else 1) for n in range(20_000)],
        )
    found = looked(lines=2_000)
    assert not found.failures
    [warning] = [one for one in found.warnings if "rejected" in one]
    assert warning.startswith("in a sample of ")
    assert (
        "% of the lines would be rejected, and a run stops beyond logs.max_rejected_share 50.0%"
        in warning
    )


def test_the_share_of_a_sample_is_of_the_lines_that_where_keeps(looked: Looked, logs: Path) -> None:
    # Of ten lines, one is kept, and its price is no number.
    for day in range(2):
        rows = [
            {
                **Tiny.row(10**6 * day + n, day, price=1 if n % 10 else "dear"),
                "of": int(n % 10 == 0),
            }
            for n in range(4_000)
        ]
        Tiny.write(logs / f"day{day}.jsonl", rows)
    warnings = looked(lines=400, logs__exposures__where={"of": [1]}).warnings
    assert any("100.0% of the lines would be rejected" in one for one in warnings)


def test_rejected_lines_of_a_side_table_are_told_beside_a_sample(
    looked: Looked, logs: Path
) -> None:
    for day in range(2):
        rows = [Tiny.row(10**6 * day + n, day) for n in range(4_000)]
        Tiny.write(logs / f"day{day}.jsonl", rows)
    users = [{"user_id": f"u{n}", "region": "north", "age": "old"} for n in range(9)]
    Tiny.write(logs / "users.jsonl", users)
    warnings = looked(lines=400).warnings
    start = "100.0% of side table users's lines would be rejected"
    assert any(one.startswith(start) for one in warnings)


def test_weights_whose_sums_count_no_examples_are_told(looked: Looked, logs: Path) -> None:
    for weight, told in ((0, "no example trains"), (0.01, "count sums of weights"), (1, "")):
        for day in range(2):
            rows = [{**Tiny.row(100 * day + n, day), "w": weight} for n in range(60)]
            Tiny.write(logs / f"day{day}.jsonl", rows)
        [text] = [one for one in looked(weight={"column": "w"}).warnings if "weight" in one] or [""]
        assert told in text
        assert bool(text) == bool(told)


def test_keys_that_hardly_match_are_shown(looked: Looked, logs: Path) -> None:
    users = [{"user_id": str(number), "region": "north", "age": 1} for number in range(3)]
    Tiny.write(logs / "users.jsonl", users)
    assert (
        "logs.tables.users: 0.0% of 100 lines find their 'user_id' among the keys of users*: "
        "the log has 'u0', 'u1', 'u2', the table '0', '1', '2'"
    ) in looked().warnings  # fmt: skip


def test_few_positives_are_told_by_split_and_none_only_once(looked: Looked, logs: Path) -> None:
    for day in range(2):
        Tiny.write(
            logs / f"day{day}.jsonl",
            [Tiny.row(1_000 * day + n, day, clicked=int(n < 3)) for n in range(400)],
        )
    warnings = looked(split__validation_share=0.001).warnings
    assert "click: 3 positives in evaluation: too few for the gate to tell" in warnings


def test_a_batch_larger_than_the_log_is_told(looked: Looked) -> None:
    assert any("fewer than trainer.batch_size (512)" in one for one in looked().warnings)


def test_a_vocabulary_that_keeps_no_value_is_told(looked: Looked) -> None:
    warnings = looked(fields__item__vocabulary={"min_count": 50}).warnings
    assert any("fields.item: none of its 7 values occurs" in one for one in warnings)


def test_a_field_without_values_is_told(looked: Looked, logs: Path) -> None:
    Tiny.write(
        logs / "users.jsonl", [{"user_id": "u0", "age": 3}, {"user_id": "u9", "region": "x"}]
    )
    assert "fields.region: no line to train on has a value" in looked().warnings


def test_logs_without_a_line_fail(looked: Looked, logs: Path) -> None:
    for day in range(2):
        (logs / f"day{day}.jsonl").write_text("")
    assert looked().failures
    assert json.dumps(looked().failures)
