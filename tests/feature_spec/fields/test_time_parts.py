"""Fields `from: event_time`: the hour and the day of the week, the same in logs and requests."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_spec.fields.time_parts import part_of_hours, part_text
from feature_spec.loading import SpecError, parse_spec
from feature_spec.spec import given_part
from pipeline.ingest.labelling.event_time import local_times_us
from pipeline.step_specs import serving_spec, training_spec, transform_spec
from serving.client.request_tensors import request_tensors
from serving.client.types import Candidate, RankingRequest

PARTS = ("hour", "weekday", "hour_of_week")
FIELD = "  {name}: {{side: context, kind: categorical, from: event_time, part: {part}}}\n"
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia")


def _with_parts(spec_text: str, *parts: str, zone: str = "Europe/Berlin") -> str:
    fields = "".join(FIELD.format(name=f"at_{part}", part=part) for part in parts)
    return spec_text.replace("unit: ms}", f"unit: ms, timezone: {zone}}}").replace(
        "fields:\n", "fields:\n" + fields
    )


@pytest.mark.parametrize(
    ("at", "texts"),
    [
        ("2024-03-31T00:59:59+00:00", ("1", "7", "145")),  # Sunday, 1:59 in Berlin
        ("2024-03-31T01:00:00+00:00", ("3", "7", "147")),  # the clocks go on to 3:00
        ("1969-12-31T23:30:00+00:00", ("0", "4", "72")),  # Thursday, 0:30
        ("2024-01-01T22:59:59.999+00:00", ("23", "1", "23")),  # Monday
    ],
)
def test_parts_of_a_time_are_those_of_the_clocks_of_the_zone(
    at: str, texts: tuple[str, str, str]
) -> None:
    at_s = datetime.datetime.fromisoformat(at).timestamp()
    assert tuple(part_text(part, at_s, "Europe/Berlin") for part in PARTS) == texts


@given(st.lists(st.integers(-(10**15), 4 * 10**15), min_size=1, max_size=5), st.sampled_from(ZONES))
def test_ingestion_and_client_and_python_agree_on_every_time(times: list[int], zone: str) -> None:
    hours = local_times_us(np.array(times, np.int64), zone) // 3_600_000_000
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    for part in PARTS:
        texts = list(map(str, part_of_hours(part, hours).tolist()))
        assert texts == [part_text(part, us / 1e6, zone) for us in times]
    moments = [
        (epoch + datetime.timedelta(microseconds=us)).astimezone(ZoneInfo(zone)) for us in times
    ]
    assert part_of_hours("hour", hours).tolist() == [moment.hour for moment in moments]
    assert part_of_hours("weekday", hours).tolist() == [moment.isoweekday() for moment in moments]


def test_the_client_fills_parts_in_from_the_time_of_the_request(spec_text: str) -> None:
    spec = parse_spec(_with_parts(spec_text, *PARTS))
    # 2024-05-03, a Friday, 22:30 in UTC: Saturday, 0:30 in Berlin.
    request = RankingRequest(candidates=[Candidate(fields={"item_id": "a"})], at_s=1_714_775_400)
    tensors = request_tensors(spec, request)
    assert {part: tensors[f"at_{part}"].string_val for part in PARTS} == {
        "hour": [b"0"], "weekday": [b"6"], "hour_of_week": [b"120"]
    }  # fmt: skip


def test_a_part_that_the_request_gives_itself_wins(spec_text: str) -> None:
    spec = parse_spec(_with_parts(spec_text, "hour"))
    request = RankingRequest(candidates=[Candidate(fields={})], at_s=0.0, context={"at_hour": 7})
    assert request_tensors(spec, request)["at_hour"].string_val == [b"7"]


def test_the_parts_of_a_spec_for_single_steps_have_the_field(spec_text: str) -> None:
    spec = parse_spec(_with_parts(spec_text, "hour"))
    for step in (training_spec(spec), serving_spec(spec)):
        of_step = parse_spec(step)
        assert (of_step.time_fields, of_step.timezone) == ({"at_hour": "hour"}, "Europe/Berlin")
        assert of_step.fingerprint == spec.fingerprint
    assert "at_hour" in parse_spec(transform_spec(spec)).fields
    assert given_part(spec)["fields"]["at_hour"]["from"] == "event_time"


def test_the_time_zone_counts_for_the_fingerprint_only_where_a_field_reads_it(
    spec_text: str,
) -> None:
    def fingerprint(zone: str, *parts: str) -> str:
        return parse_spec(_with_parts(spec_text, *parts, zone=zone)).fingerprint

    assert fingerprint("UTC") == fingerprint("Asia/Tokyo")
    assert fingerprint("UTC", "hour") != fingerprint("Asia/Tokyo", "hour")
    assert fingerprint("UTC", "hour") != fingerprint("UTC", "weekday").replace("weekday", "hour")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (", part: hour", "", "belong together; received from alone"),
        ("from: event_time, ", "", "belong together; received part alone"),
        ("side: context", "side: user", "needs side 'context'"),
        ("part: hour", "part: hour, column: h", "neither 'column' nor 'table'"),
        ("part: hour", "part: minute", "'hour', 'weekday' or 'hour_of_week'"),
        ("event_time: {column: t, unit: ms, timezone: Europe/Berlin}", "item: i", "fields.at_hour.from: needs 'keys.event_time'"),
        ("unit: ms", "unit: yyyymmdd", "fields.at_hour.part: event times of the unit 'yyyymmdd' have no hour"),
        ("from: event_time", "form: event_time", "unknown key 'form': did you mean 'from'"),
    ],
)  # fmt: skip
def test_a_part_of_no_time_is_refused(spec_text: str, old: str, new: str, message: str) -> None:
    text = _with_parts(spec_text, "hour")
    assert old in text
    with pytest.raises(SpecError) as caught:
        parse_spec(text.replace(old, new).replace("evaluation_days: 1", "evaluation_files: [a]"))
    assert message in str(caught.value)
