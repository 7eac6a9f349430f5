"""Histories in numbers, read from TFDV's statistics."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import statistics_pb2

from feature_spec.loading import load_spec, parse_spec, ready_specs
from pipeline.report.data.history_data import read_histories

HISTORIES = {
    "known_after_s": 600,
    "warm_up_days": 1,
    "counts": {"video": {"by": ["video_id"], "tasks": ["vtr"], "windows_s": [86_400]}},
    "sequences": {"watched": {"by": "user_id", "fields": ["video_id"], "max_length": 30}},
}
# 200 examples: 20 without a key, 30 with nothing before. 40 with an empty list; 16 of 80 exposures
# of 16 to 32 s, the others of 32 to 64 s.
STATISTICS = """
num_examples: 200
features {
  path { step: "video_1d_shown" } type: FLOAT
  num_stats {
    common_stats { num_missing: 20 num_non_missing: 180 }
    mean: %s std_dev: 4.0 num_zeros: 30
    histograms { type: STANDARD buckets { low_value: 0 high_value: 9 } }
    histograms {
      type: QUANTILES
      buckets { low_value: 0 high_value: 2 } buckets { low_value: 2 high_value: 6 }
    }
  }
}
features {
  path { step: "watched_age" } type: STRING
  string_stats {
    common_stats {
      num_missing: 40 num_non_missing: 160 tot_num_values: 80 avg_num_values: 0.5
      num_values_histogram {
        type: QUANTILES
        buckets { low_value: 1 high_value: 3 } buckets { low_value: 3 high_value: 30 }
      }
    }
    rank_histogram {
      buckets { label: "6" sample_count: 64 } buckets { label: "5" sample_count: 16 }
    }
  }
}
"""


@pytest.fixture
def statistics(tmp_path: Path) -> str:
    for split, mean in (("train", 5.0), ("evaluation", 8.0)):
        whole = statistics_pb2.DatasetFeatureStatisticsList()
        text_format.Parse(STATISTICS % mean, whole.datasets.add())
        folder = tmp_path / f"Split-{split}"
        folder.mkdir()
        (folder / "FeatureStats.pb").write_bytes(whole.SerializeToString())
    return str(tmp_path)


@pytest.fixture(scope="module")
def spec():
    base = yaml.safe_load(ready_specs()["short_video"].read_text(encoding="utf-8"))
    return parse_spec(yaml.safe_dump(base | {"histories": HISTORIES}))


def test_a_spec_without_histories_has_none(statistics):
    assert read_histories(load_spec("census_income"), statistics) is None


def test_a_count_has_its_share_empty_and_its_tenths_by_split(spec, statistics):
    read = read_histories(spec, statistics)
    assert read.known == "known after 10 min, 1 day of warm-up"
    video = read.histories[0]
    assert (video.name, video.by, video.max_length) == ("video_1d", ["video_id"], None)
    # (20 + 30) / 200
    assert video.parts["train"].empty_share == 0.25
    assert video.parts["train"].tenths == [0.0, 2.0, 6.0]
    assert video.parts["train"].median == 2.0


def test_the_shift_is_in_standard_deviations_of_the_training(spec, statistics):
    # (8 - 5) / 4
    assert read_histories(spec, statistics).histories[0].shift == 0.75


def test_a_sequence_has_its_lengths_and_ages(spec, statistics):
    watched = read_histories(spec, statistics).histories[1]
    part = watched.parts["evaluation"]
    assert (watched.max_length, part.empty_share, part.tenths) == (30, 0.2, [1.0, 3.0, 30.0])
    assert part.ages == {"6": 0.8, "5": 0.2}
    assert watched.shift is None


def test_histories_without_statistics_have_no_parts(spec, tmp_path):
    assert [one.parts for one in read_histories(spec, str(tmp_path)).histories] == [{}, {}]
