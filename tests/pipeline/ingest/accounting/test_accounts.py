"""The account of every source in words, whose parts sum up to its lines."""

from __future__ import annotations

import re

from pipeline.ingest.accounting.accounts import log_account, other_accounts
from pipeline.ingest.accounting.limits import SourceLines
from pipeline.ingest.accounting.summary import (
    ActionCounts,
    IngestSummary,
    StepCounts,
    TableCounts,
)

ACTIONS = ActionCounts(
    lines=52, lines_of_other_days=3,
    steps={
        "parse": StepCounts(received=55, passed=11, rejected=0, sampled_out=0, filtered=41, of_other_days=3),
        "join": StepCounts(received=11, passed=9, rejected=2, sampled_out=0),
    },
    rejected={"late_action": 1, "orphan_action": 1}, joined={"buy": 8, "cart": 1},
)  # fmt: skip
SUMMARY = IngestSummary(
    lines=140,
    steps={"write": StepCounts(received=130, passed=90, rejected=5, sampled_out=30, warm_up=5, filtered=10)},
    actions=ACTIONS, rejected={"malformed": 1, "duplicate": 4},
    examples={"train": 80, "validation": 4, "evaluation": 6}, tasks={}, records_of_day={}, evaluation_days=[],
    tables={"users": TableCounts(
        lines=9, rows=3, repeated_keys=2, rejected={"missing_key": 3}, filtered=1, examples_without_row=7
    )},
    unreadable_files=[],
)  # fmt: skip


def test_the_account_of_the_log_names_every_fate() -> None:
    assert log_account(SUMMARY) == (
        "140 lines = 90 examples (train 80, validation 4, evaluation 6) + 5 rejected (duplicate 4, "
        "malformed 1) + 30 negatives sampled out + 5 of the warm-up of histories + 10 left out by 'where'"
    )


def test_actions_and_side_tables_have_accounts_of_their_own() -> None:
    assert other_accounts(SUMMARY) == [
        "actions: 55 lines = 9 joined (buy 8, cart 1) + 2 rejected (late_action 1, orphan_action 1) + "
        "3 of other days + 41 left out by 'where'",
        "side table users: 9 lines = 3 rows + 2 of a repeated key + 3 rejected (missing_key 3) + "
        "1 left out by 'where'; 7 examples have no row in it",
    ]


def test_the_parts_of_each_account_are_its_lines() -> None:
    for account in (log_account(SUMMARY), *other_accounts(SUMMARY)):
        lines, parts = account.partition(";")[0].split(" = ")
        counts = [int(part.split()[0]) for part in parts.split(" + ")]
        assert int(re.findall(r"(\d+) lines", lines)[0]) == sum(counts)


def test_the_lines_of_all_sources_are_counted_together() -> None:
    of_all = SourceLines.together(SUMMARY.by_source.values())
    # 140 + 52 + 9 lines, of which 10 + 41 + 1 are filtered and 5 + 2 + 3 rejected.
    assert (of_all.lines, of_all.kept, sum(of_all.rejected.values())) == (201, 149, 10)


def test_a_plain_log_has_one_short_account() -> None:
    plain = SUMMARY.model_copy(update={"steps": {}, "actions": None, "tables": {}, "rejected": {}})
    assert log_account(plain).endswith("evaluation 6) + 0 rejected")
    assert other_accounts(plain) == []
