"""The section `weight`: the column that says how much each example counts."""

from __future__ import annotations

import pytest

from feature_spec.loading import SpecError, parse_spec
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.step_specs import evaluation_spec, serving_spec, training_spec, transform_spec

WEIGHT = "weight: {column: importance}\n"
STEPS = (transform_spec, training_spec, evaluation_spec, serving_spec)


def test_a_weight_changes_no_fingerprint_and_names_a_column_of_the_log(spec_text: str) -> None:
    plain, weighted = parse_spec(spec_text), parse_spec(spec_text + WEIGHT)
    assert weighted.fingerprint == plain.fingerprint
    columns = IngestSettings.from_spec(weighted).columns_of(None)
    assert columns["importance"] == "weight.column"
    assert "weight" not in IngestSettings.from_spec(plain).to_json()


@pytest.mark.parametrize("step", STEPS)
def test_each_step_knows_that_there_are_weights_and_not_their_column(step, spec_text: str) -> None:
    weighted = parse_spec(spec_text + WEIGHT)
    assert parse_spec(step(weighted)).weight.column == "any"
    assert step(weighted) == step(parse_spec(spec_text + WEIGHT.replace("importance", "other")))
    assert '"weight"' not in step(parse_spec(spec_text))


def test_a_weight_that_actions_fill_is_refused(spec_text: str) -> None:
    events = """
  impressions: {path: "a", format: jsonl}
  actions:
    {path: "b", format: jsonl, kind: k, event_time: {column: t, unit: ms}, join_by: user, window_s: 9,
     folds: {importance: {action: buy, fold: count}}}"""
    text = spec_text.replace('  exposures: {path: "*.jsonl", format: jsonl}', events.strip("\n"))
    text = text.replace("keys: {user: user_id,", "keys: {user: user_id, item: item_id,")
    parse_spec(text)
    with pytest.raises(SpecError, match="the weight of an impression cannot come from actions"):
        parse_spec(text + WEIGHT)
