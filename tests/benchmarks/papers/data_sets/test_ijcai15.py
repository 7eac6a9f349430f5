"""The official files of IJCAI-15 become logs that the product reads."""

from __future__ import annotations

import json

import pytest

from benchmarks.papers.data_sets import ijcai15
from feature_spec.loading import parse_spec

HEADER = "user_id,item_id,cat_id,seller_id,brand_id,time_stamp,action_type"


@pytest.fixture
def official(tmp_path):
    folder = tmp_path / "official"
    folder.mkdir()
    actions = [
        "328862,323294,833,2882,2661,829,0",
        "328862,323294,833,2882,2661,829,2",
        "328862,844400,1271,2882,2661,829,3",
        "234512,323294,833,2882,,1111,0",
    ]
    (folder / ijcai15.LOG).write_text("\n".join([HEADER, *actions]) + "\n")
    (folder / ijcai15.USERS).write_text("user_id,age_range,gender\n328862,6.0,1.0\n234512,5.0,\n")
    return folder


def samples(official, tmp_path) -> list[str]:
    folder = tmp_path / "logs"
    folder.mkdir()
    ijcai15.convert(official, folder)
    assert (folder / ijcai15.USERS).read_bytes() == (official / ijcai15.USERS).read_bytes()
    return (folder / "samples.csv").read_text().splitlines()


def test_a_sample_is_a_user_an_item_and_a_day_with_all_that_happened(official, tmp_path):
    assert samples(official, tmp_path) == [
        "user_id,item_id,cat_id,seller_id,brand_id,favourite,purchase,day",
        "328862,323294,833,2882,2661,0,1,20140829",
        "328862,844400,1271,2882,2661,1,0,20140829",
        "234512,323294,833,2882,0,0,0,20141111",
    ]


def test_a_log_with_other_columns_is_refused(official, tmp_path):
    (official / ijcai15.LOG).write_text("user_id,merchant_id,label\n1,2,0\n")
    with pytest.raises(ijcai15.LayoutError, match="received user_id, merchant_id, label"):
        samples(official, tmp_path)


def test_the_spec_is_valid():
    assert list(parse_spec(json.dumps(ijcai15.document())).tasks) == ["favourite", "purchase"]
