"""A request that leaves out what nearly every training example had gets one warning."""

from __future__ import annotations

import logging

import pytest

from feature_spec.loading import parse_spec
from serving.client.left_out_fields import LeftOutFields, sides_to_give
from serving.client.types import Candidate, RankingRequest

SIDES = {"age": "user", "hour": "context", "price": "item", "tags": "item"}
PRESENCE = {"age": 1.0, "hour": 0.97, "price": 0.96, "tags": 0.9}
ITEM = Candidate(fields={"price": 1.0})


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_fields_of_95_percent_of_the_examples_are_named_with_their_shares_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    looking = LeftOutFields(PRESENCE, SIDES)
    looking.look_at(RankingRequest(user={"age": 3}, candidates=[Candidate(fields={})]), None)
    looking.look_at(RankingRequest(candidates=[Candidate(fields={})]), None)
    [warning] = warned(caplog)
    assert "nearly every training example had: hour (97%), price (96%); the model" in warning


def test_nothing_is_said_where_some_candidate_has_the_field_or_where_it_is_given_as_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    looking = LeftOutFields(PRESENCE, SIDES)
    request = RankingRequest(
        user={"age": None}, context={"hour": 3}, candidates=[Candidate(fields={}), ITEM]
    )
    looking.look_at(request, None)
    assert warned(caplog) == []


def test_a_field_that_the_spec_no_longer_has_is_not_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    LeftOutFields({"gone": 1.0}, SIDES).look_at(RankingRequest(candidates=[ITEM]), None)
    assert warned(caplog) == []


def test_parts_of_the_time_are_not_asked_for_because_the_client_fills_them_in() -> None:
    spec = parse_spec("""
name: timed
keys: {event_time: {column: t, unit: s}}
logs: {exposures: {path: x, format: csv}}
split: {evaluation_days: 1}
fields:
  id: {side: item, kind: categorical}
  hour: {side: context, kind: categorical, from: event_time, part: hour}
tasks: {click: {kind: binary, label: {rule: event, column: c}, metric: auc}}
ranking_formula: {weights: {click: 1.0}}
""")
    assert sides_to_give(spec) == {"id": "item"}
