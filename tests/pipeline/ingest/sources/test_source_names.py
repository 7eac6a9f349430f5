"""The names by which rejected lines are found again."""

from __future__ import annotations

from pipeline.ingest.sources.files import InputFiles, LogFile
from pipeline.ingest.sources.source_names import TopicPartitions, source_names

NO_FILES = InputFiles(sources={None: [], "users": []}, evaluation=frozenset())


def test_every_partition_of_every_topic_has_a_number_and_a_name_of_its_own() -> None:
    partitions = TopicPartitions(["shown", "again"])
    numbers = {
        partitions.number(topic, partition): f"kafka:{topic}/{partition}"
        for topic in ("shown", "again")
        for partition in (0, 1, 2, 9_999)
    }
    assert len(numbers) == 8
    assert {number: partitions[number] for number in numbers} == numbers


def test_a_table_is_named_by_itself_and_a_query_by_its_place_in_the_spec(tiny) -> None:
    table = tiny.settings(logs__exposures={"bigquery": {"table": "acme.d.shown"}})
    query = tiny.settings(logs__tables__users={"bigquery": {"query": "SELECT 1"}, "key": "user_id"})
    assert source_names(table, NO_FILES, None) == ["bigquery:acme.d.shown"]
    assert source_names(query, NO_FILES, "users") == ["bigquery:logs.tables.users"]


def test_files_are_named_by_themselves(tiny) -> None:
    files = InputFiles(sources={None: [LogFile("/logs/day0", "day0", 1)]}, evaluation=frozenset())
    assert source_names(tiny.settings(), files, None) == ["day0"]
