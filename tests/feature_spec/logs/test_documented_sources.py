"""The examples of the documentation are valid."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from feature_spec.logs.bigquery import BigQueryRows
from feature_spec.logs.kafka import KafkaTopics
from feature_spec.logs.logs import Logs

TEXT = (Path(__file__).parents[3] / "docs" / "sources.md").read_text(encoding="utf-8")


def test_the_examples_of_sources_are_valid_logs() -> None:
    examples = [
        yaml.safe_load(block)["logs"]
        for block in re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
    ]
    assert [type(Logs.model_validate(logs).shown.connector) for logs in examples] == [
        BigQueryRows,
        KafkaTopics,
    ]


def test_every_key_of_a_connector_is_documented() -> None:
    for model, heading in (
        (BigQueryRows, "| key of `bigquery` |"),
        (KafkaTopics, "| key of `kafka` |"),
    ):
        table = TEXT.split(heading)[1].split("\n\n")[0]
        documented = {
            key
            for row in table.splitlines()
            for key in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
        }
        assert documented == set(model.model_fields)
