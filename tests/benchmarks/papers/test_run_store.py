"""The store finds a finished run again, and not one that broke off."""

from __future__ import annotations

import numpy as np

from benchmarks.papers.run_store import Finished, Run, RunStore

RUN = Run(variant="", contender="ple", setting="fast", seed=2)
FINISHED = Finished(
    validation={"click": {"auc": 0.7, "log_loss": 0.6}}, parameters=10, elapsed_s=1.5
)


def test_a_kept_run_is_finished_with_its_facts_and_scores(tmp_path):
    RunStore(tmp_path).keep(RUN, FINISHED, {"click": np.array([0.25, 0.5])})
    assert RunStore(tmp_path).finished(RUN) == FINISHED
    assert RunStore(tmp_path).test_scores(RUN)["click"].tolist() == [0.25, 0.5]


def test_another_seed_setting_or_variant_is_another_run(tmp_path):
    store = RunStore(tmp_path)
    store.keep(RUN, FINISHED, {"click": np.array([0.25])})
    others = [
        Run(variant="", contender="ple", setting="fast", seed=3),
        Run(variant="", contender="ple", setting="slow", seed=2),
        Run(variant="0.5", contender="ple", setting="fast", seed=2),
    ]
    assert [store.finished(other) for other in others] == [None, None, None]


def test_a_run_that_was_broken_off_before_its_facts_were_written_is_not_finished(tmp_path):
    store = RunStore(tmp_path)
    store.keep(RUN, FINISHED, {"click": np.array([0.25])})
    (facts,) = tmp_path.rglob("*.json")
    facts.rename(facts.with_suffix(".unfinished"))
    assert store.finished(RUN) is None
