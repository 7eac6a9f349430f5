"""What is proposed for files of known layouts."""

from __future__ import annotations

import datetime
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.log_look.looking import findings
from tests.pipeline.spec_init.conftest import Proposed, ali_ccp, movielens, taobao

ITEMS, USERS = {"items": "u.item"}, {"users": "u.user"}


def test_ratings_with_two_tables_without_headers(proposed: Proposed, tmp_path: Path) -> None:
    spec = proposed(movielens(), ITEMS | USERS)
    assert (spec.keys.user, spec.keys.item) == ("user_id", "item_id")
    assert spec.keys.event_time is not None
    assert (spec.keys.event_time.column, spec.keys.event_time.unit) == ("time", "s")
    assert spec.logs.exposures is not None
    assert spec.logs.exposures.delimiter == "\t"
    assert spec.logs.exposures.columns == ["user_id", "item_id", "rating", "time"]
    items, users = spec.logs.tables["items"], spec.logs.tables["users"]
    assert (items.key, items.delimiter, items.encoding) == ("item_id", "|", "latin-1")
    assert (users.key, users.encoding) == ("user_id", "utf-8")
    assert {name: task.label.text for name, task in spec.tasks.items()} == {
        "liked": "rating ≥ 4",
        "rating": "rating",
    }
    assert {field.side for field in spec.fields.values() if field.table == "items"} == {"item"}
    assert {field.side for field in spec.fields.values() if field.table == "users"} == {"user"}
    assert spec.split.evaluation_days is not None
    found = findings(spec, str(tmp_path / "data"), 100_000)
    assert not found.failures
    assert found.look is not None
    assert found.look.summary.rejected.keys() <= {"stray_event_time"}  # of a thin last day
    assert all(match.matched == match.rows == 3_000 for match in found.look.matches.values())


def test_names_that_are_given_are_those_of_the_fields(proposed: Proposed) -> None:
    spec = proposed(
        movielens(),
        USERS,
        {None: ["viewer", "film", "stars", "at"], "users": ["id", "age", "sex", "job", "zip"]},
    )
    assert set(spec.fields) >= {"viewer", "film", "age", "sex", "job", "zip"}
    assert spec.fields["age"].kind == "numeric"
    assert spec.logs.tables["users"].exposure_key == "viewer"
    assert spec.tasks["liked"].label.columns == {"column": "stars"}


def test_titles_of_items_that_are_no_field_are_shown_beside_their_ids(proposed: Proposed) -> None:
    names = ["movie", "title", "released", "video_released", "url"]
    names += [f"genre_{number}" for number in range(19)]
    spec = proposed(movielens(), ITEMS | USERS, {"items": names})
    assert "title" not in spec.fields
    assert spec.logs.tables["items"].display == "title"
    assert spec.logs.tables["users"].display is None


def test_a_log_of_events_becomes_impressions_and_actions(
    proposed: Proposed, tmp_path: Path
) -> None:
    spec = proposed({"UserBehavior.csv": taobao()})
    assert spec.logs.impressions is not None
    assert spec.logs.actions is not None
    assert spec.logs.impressions.where == {"behavior": ["pv"]}
    assert spec.logs.actions.where == {"behavior": ["cart", "fav", "buy"]}
    assert spec.logs.actions.join_by == "user"
    assert list(spec.tasks) == ["cart", "fav", "buy"]
    assert spec.fields["c3"].side == "item"  # one category for each item
    found = findings(spec, str(tmp_path / "data"), 100_000)
    assert not found.failures
    assert found.look is not None
    assert found.look.summary.tasks["cart"]["train"].positives


def test_columns_named_by_numbers_have_usable_names(proposed: Proposed, tmp_path: Path) -> None:
    spec = proposed({"sample.csv": ali_ccp()})
    assert spec.fields["f101"].column == "101"
    assert spec.fields["f216"].kind == "categorical"
    assert spec.fields["D508"].kind in ("numeric", "categorical")
    assert "f301" not in spec.fields  # always 1
    assert list(spec.tasks) == ["click", "purchase"]
    assert spec.keys.user is None
    assert spec.split.evaluation_share == 0.2
    assert not findings(spec, str(tmp_path / "data"), 100_000).failures


def test_a_watch_time_and_a_duration_are_a_ratio_and_no_label_is_a_field(
    proposed: Proposed,
) -> None:
    rows = [
        {"user_id": f"u{n % 20}", "video_id": f"v{n % 40}", "ts": 1_700_000_000_000 + n * 3_600_000,
         "play_time_ms": n * 37 % 9_000, "duration_ms": 1_000 + n % 40 * 100, "is_like": n % 7 == 0,
         "profile_stay_time": n % 90, "hate": int(n % 50 == 0)}
        for n in range(600)
    ]  # fmt: skip
    spec = proposed({"log.jsonl": "\n".join(map(json.dumps, rows))})
    assert spec.tasks["watch_ratio"].label.text == "play_time_ms / duration_ms, at most 2"
    assert spec.ranking_formula.weights == {"like": 1.0, "hate": -0.5, "watch_ratio": 0.5}
    assert spec.keys.event_time is not None
    assert spec.keys.event_time.unit == "ms"
    assert set(spec.fields) == {"user_id", "video_id", "duration_ms", "hour", "weekday"}
    assert spec.fields["duration_ms"].side == "item"
    assert spec.split.evaluation_days == 3  # a tenth of 25 days


def test_lists_are_split_and_histories_share_the_rows_of_items(proposed: Proposed) -> None:
    lines = ["user_id,item_id,tags,recent_items,click"]
    lines += [
        f"u{n % 30},i{n % 50},{'|'.join(f't{one}' for one in range(n % 3 + 1))},"
        f"{' '.join(f'i{(n + one) % 50}' for one in range(1, n % 5 + 1))},{n % 2}"
        for n in range(400)
    ]
    spec = proposed({"log.csv": "\n".join(lines)})
    tags, recent = spec.fields["tags"], spec.fields["recent_items"]
    assert (tags.kind, tags.separator, tags.max_length) == ("multi_categorical", "|", 3)
    assert (recent.kind, recent.shares, recent.separator) == ("sequence", "item_id", " ")


def test_lists_of_as_many_numbers_are_said_to_be_vectors_perhaps(
    proposed: Proposed, tmp_path: Path
) -> None:
    rows = [
        {"user_id": f"u{n % 20}", "item_id": f"i{n % 30}", "click": n % 2, "look": [n / 7, 0.5],
         "many": [0.5] * (n % 3)}
        for n in range(200)
    ]  # fmt: skip
    spec = proposed({"log.jsonl": "\n".join(map(json.dumps, rows))})
    assert not {"look", "many"} & set(spec.fields)
    text = (tmp_path / "spec.yaml").read_text()
    assert "left out: look: lists of 2 numbers; kind vector, if a model computed them" in text
    assert "left out: many: values are neither categories nor numbers (list)" in text


def test_files_of_days_get_a_place_for_the_day(proposed: Proposed) -> None:
    files = {
        f"day=2024-01-0{day}/part.csv.gz": gzip.compress(
            b"user_id,item_id,time,click\n"
            + b"".join(
                f"u{n % 9},i{n},{1_704_067_200 + 86_400 * (day - 1) + n},{n % 2}\n".encode()
                for n in range(50)
            )
        )
        for day in (1, 2, 3, 4)
    }
    spec = proposed(files, log=list(files))
    assert spec.logs.exposures is not None
    assert spec.logs.exposures.path == ["day={day}/part.csv.gz"]
    assert spec.logs.exposures.has_day
    assert spec.split.evaluation_days == 1


def test_a_file_named_test_judges(proposed: Proposed) -> None:
    log = "a,click\n" + "".join(f"{n % 9},{n % 2}\n" for n in range(100))
    spec = proposed({"train.csv": log, "test.csv": log}, log=["train.csv", "test.csv"])
    assert spec.split.evaluation_files == ["test.csv"]


def test_marks_of_missing_values_are_told(proposed: Proposed) -> None:
    none = "\\N"
    lines = "age,item_id,city,click\n" + "".join(
        f"{'?' if n % 9 == 0 else n % 70},i{n % 8},{none if n % 5 == 0 else f'c{n % 4}'},{n % 2}\n"
        for n in range(300)
    )
    spec = proposed({"log.csv": lines})
    assert spec.logs.missing_values == ["", "?", "\\N"]
    assert spec.fields["age"].kind == "numeric"


def test_parquet_and_its_lists_are_read(proposed: Proposed, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    table = pa.table(
        {
            "userId": [n % 20 for n in range(200)],
            "itemId": [n % 30 for n in range(200)],
            "genres": [["a", "b"][: n % 3] for n in range(200)],
            "price": [n * 1.5 for n in range(200)],
            "clicked": [n % 3 == 0 for n in range(200)],
        }
    )
    pq.write_table(table, tmp_path / "data" / "log")
    spec = proposed({"log": (tmp_path / "data" / "log").read_bytes()})
    assert spec.logs.exposures is not None
    assert spec.logs.exposures.format == "parquet"
    assert (spec.keys.user, spec.keys.item) == ("userId", "itemId")
    assert spec.fields["genres"].kind == "multi_categorical"
    assert spec.fields["price"].kind == "numeric"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "log.csv is empty"),
        ('[{"a": 1}]', "is a JSON array: write an object a line"),
        ("a,a\n1,2\n", "names the column 'a' twice"),
        (b"\x00\x01\x02\x03", "is no text, and neither Parquet nor Avro"),
    ],
)
def test_a_file_that_no_spec_can_read_is_refused(
    proposed: Proposed, content: str | bytes, message: str
) -> None:
    with pytest.raises(ValueError, match="log") as raised:
        proposed({"log.csv": content})
    assert message in str(raised.value)


def test_a_table_that_nothing_joins_is_refused_with_the_columns_of_both(
    proposed: Proposed,
) -> None:
    files = {"log.csv": "user,click\nu1,0\nu2,1\n", "items.csv": "sku,price\nx,1\ny,2\n"}
    with pytest.raises(ValueError, match="--table items: no column of items.csv has values of a"):
        proposed(files, {"items": "items.csv"})


def test_files_of_two_logs_are_not_taken_for_one(proposed: Proposed) -> None:
    files = {"a.csv": "user_id,item_id,click\n1,2,0\n", "b.csv": "price,title,colour\n1,x,red\n"}
    with pytest.raises(ValueError, match=r"a.csv and b.csv are no files of one log"):
        proposed(files, log=list(files))


def test_an_hour_that_the_log_has_is_not_made_of_the_time_again(proposed: Proposed) -> None:
    lines = "item_id,time,hour,click\n" + "".join(
        f"i{n % 9},{1_700_000_000 + n * 9_000},{n % 24},{n % 2}\n" for n in range(300)
    )
    spec = proposed({"log.csv": lines})
    assert spec.fields["hour"].column is None
    assert set(spec.time_fields) == {"weekday"}


@pytest.mark.parametrize("seconds", [True, False])
def test_days_as_times_make_no_hour(proposed: Proposed, *, seconds: bool) -> None:
    lines = "item_id,time,click\n"
    for n in range(300):
        day = datetime.date(2024, 1, 1) + datetime.timedelta(days=n % 30)
        time = (day - datetime.date(1970, 1, 1)).days * 86_400 if seconds else day.isoformat()
        lines += f"i{n % 9},{time},{n % 2}\n"
    assert set(proposed({"log.csv": lines}).time_fields) == {"weekday"}


def test_yes_is_the_label_whichever_answer_is_the_rarer(proposed: Proposed) -> None:
    lines = "item_id,clicked,shared,other\n" + "".join(
        f"i{n % 9},{'no' if n % 4 else 'yes'},{'Y' if n % 4 else 'N'},{n % 2}\n" for n in range(200)
    )
    labels = {name: task.label for name, task in proposed({"log.csv": lines}).tasks.items()}
    assert {name: label.equals for name, label in labels.items()} == {
        "clicked": ["yes"],
        "shared": ["Y"],
    }
    alone = "item_id,bought\n" + "".join(
        f"i{n % 9},{'no' if n % 4 else 'yes'}\n" for n in range(200)
    )
    assert [task.label.equals for task in proposed({"log.csv": alone}).tasks.values()] == [["yes"]]


def test_files_that_judge_may_have_brackets_in_their_names(
    proposed: Proposed, tmp_path: Path
) -> None:
    lines = "item_id,click\n" + "".join(f"i{n % 9},{n % 2}\n" for n in range(200))
    files = {"train[1].csv": lines, "test[1].csv": lines}
    spec = proposed(files, log=list(files))
    assert spec.split.evaluation_files is not None
    assert not findings(spec, str(tmp_path / "data"), 1_000).failures


def test_a_file_of_another_format_is_not_of_the_log(proposed: Proposed) -> None:
    files = {"a.jsonl": '{"item_id": 1, "click": 0}\n' * 5, "b.csv": "item_id,click\n1,2\n"}
    with pytest.raises(ValueError, match="b.csv cannot be read as jsonl"):
        proposed(files, log=list(files))


def test_chinese_names_mean_what_they_mean(proposed: Proposed) -> None:
    rows = [line.split(",") for line in taobao(lines=600).splitlines()]
    header = "用户ID,商品ID,商品类目ID,行为类型,时间戳\n"
    spec = proposed({"log.csv": header + "".join(",".join(row) + "\n" for row in rows)})
    assert (spec.keys.user, spec.keys.item) == ("用户ID", "商品ID")
    assert spec.fields["user_ID"].column == "用户ID"
    assert spec.fields["item_category_ID"].side == "item"
    assert spec.logs.actions is not None
    assert spec.logs.actions.kind == "行为类型"


def test_events_without_impressions_are_exposures_of_their_own(proposed: Proposed) -> None:
    lines = "user_id,item_id,behavior,time\n" + "".join(
        f"u{n % 40},i{n % 30},{('buy', 'buy', 'pv', 'cart')[n % 4]},{1_700_000_000 + n * 9_000}\n"
        for n in range(400)
    )
    spec = proposed({"log.csv": lines})
    assert spec.logs.exposures is not None
    assert {name: task.label.text for name, task in spec.tasks.items()} == {
        "buy": "behavior in buy",
        "cart": "behavior in cart",
    }
    assert "behavior" not in spec.fields
