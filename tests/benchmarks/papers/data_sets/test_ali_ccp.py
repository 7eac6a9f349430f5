"""The official files of Ali-CCP become logs that the product reads."""

from __future__ import annotations

import csv
import json

import pytest

from benchmarks.papers.data_sets import ali_ccp
from feature_spec.loading import parse_spec


def feature(field: str, value: str, weight: str = "1.0") -> str:
    return f"{field}\x02{value}\x03{weight}"


def write(folder, *, part="train", skeleton, common):
    (folder / f"sample_skeleton_{part}.csv").write_text(
        "\n".join(skeleton) + "\n", encoding="utf-8"
    )
    (folder / f"common_features_{part}.csv").write_text("\n".join(common) + "\n", encoding="utf-8")


@pytest.fixture
def official(tmp_path):
    folder = tmp_path / "official"
    folder.mkdir()
    items = "\x01".join(
        [
            feature("205", "4351018"),
            feature("210", "9037"),
            feature("210", "9038", "0.5"),
            feature("301", "3"),
        ]
    )
    user = "\x01".join(
        [
            feature("101", "31319"),
            feature("121", "3438"),
            feature("109_14", "7", "2.3"),
            feature("999", "1"),
        ]
    )
    common = [f"bacff91692951881,4,{user}"]
    write(folder, part="train", skeleton=[f"1,1,0,bacff91692951881,4,{items}"], common=common)
    write(folder, part="test", skeleton=[f"2,0,0,bacff91692951881,4,{items}"], common=common)
    return folder


def converted(official, tmp_path, name="train.csv"):
    folder = tmp_path / "logs"
    folder.mkdir()
    ali_ccp.convert(official, folder)
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return [dict(zip(ali_ccp.columns(), row, strict=True)) for row in csv.reader(file)]


def test_a_sample_has_its_labels_its_own_features_and_the_common_ones(official, tmp_path):
    (row,) = converted(official, tmp_path)
    known = {name: value for name, value in row.items() if value}
    assert known == {
        "click": "1", "purchase": "0", "101": "31319", "121": "3438", "109_14": "7", "205": "4351018", "210": "9037|9038", "301": "3",
    }  # fmt: skip


def test_the_test_part_is_a_file_of_its_own(official, tmp_path):
    (row,) = converted(official, tmp_path, "test.csv")
    assert row["click"] == "0"


def test_a_sample_without_its_common_features_is_named(official, tmp_path):
    write(official, skeleton=["1,1,0,missing,0,"], common=["other,0,"])
    with pytest.raises(
        ali_ccp.MalformedLineError, match=r"sample_skeleton_train.csv line 1: .*'missing'"
    ):
        converted(official, tmp_path)


def test_a_feature_in_another_layout_is_named(official, tmp_path):
    write(official, skeleton=["1,1,0,key,1,205:17"], common=["key,0,"])
    with pytest.raises(ali_ccp.MalformedLineError, match="received '205:17'"):
        converted(official, tmp_path)


def test_a_line_with_another_number_of_values_is_named(official, tmp_path):
    write(official, skeleton=["1,1,0,key"], common=["key,0,"])
    with pytest.raises(ali_ccp.MalformedLineError, match="6 values are expected, received 4"):
        converted(official, tmp_path)


def test_the_spec_is_valid_and_judges_purchases_after_clicks_only():
    spec = parse_spec(json.dumps(ali_ccp.document()))
    assert spec.tasks["cvr"].sample_space.event == "click"
    assert {field.column for field in spec.fields.values()} <= set(ali_ccp.columns())
