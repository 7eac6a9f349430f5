"""The past that candidates attend to, worked by hand."""

from __future__ import annotations

import numpy as np

from feature_spec.artifacts.inspection import AttendedLists
from trainer.inspect.attended_entries import AttentionStatistics, columns_of

LISTS = AttendedLists(
    history="clicked",
    pooling="dot_product",
    values={"clicked_item": "item", "clicked_tags": "tags"},
    marks=["clicked_age"],
)
TEXTS = {
    "clicked_item": [[b"a", b"b", b"a"], [b"c", b"", b""], [b"", b"", b""]],
    "clicked_tags": [[b"x", b"", b"y"], [b"", b"", b""], [b"", b"", b""]],
    "clicked_age": [[b"3", b"5", b"9"], [b"4", b"", b""], [b"", b"", b""]],
    "item": [[b"a"], [b"a"], [b"a"]],
    "tags": [[b"y", b"x"], [b"", b""], [b"x", b""]],
}
WEIGHTS = [[0.5, 0.1, 0.4, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0] * 4]


def found(*batches):
    statistics = AttentionStatistics(LISTS)
    for rows in batches:
        statistics.add(
            np.array(WEIGHTS, "f4")[rows],
            {name: np.array(values, object)[rows] for name, values in TEXTS.items()},
        )
    return statistics.result()


def test_weights_by_place_newest_first():
    result = found(slice(None))
    assert result.empty_share == 1 / 3
    # Place 1: .5 and 1.; place 2: .1; places 3 to 4: .4 alone.
    assert [(place.first, place.last, place.entries) for place in result.places] == [
        (1, 1, 2), (2, 2, 1), (3, 4, 1),
    ]  # fmt: skip
    np.testing.assert_allclose([place.mean for place in result.places], [0.75, 0.1, 0.4])


def test_weights_of_entries_that_are_like_the_candidate():
    item, tags = found(slice(None)).alike
    # Two of three entries of the first example are item a: .5 and .4; the others .1 and 1.
    assert (item.field, item.entries) == ("item", 2)
    np.testing.assert_allclose([item.mean, item.mean_of_others], [0.45, 0.55])
    # Either of the candidate's tags counts; a missing value is like none.
    assert (tags.field, tags.entries) == ("tags", 2)
    np.testing.assert_allclose([tags.mean, tags.mean_of_others], [0.45, 0.55])


def test_examples_with_several_entries_are_shown_heaviest_first():
    [example] = found(slice(None)).examples
    assert (example.candidate, example.length) == ({"item": "a", "tags": "y, x"}, 3)
    assert [list(entry.values.values()) for entry in example.entries] == [
        ["a", "x", "3"], ["a", "y", "9"], ["b", "", "5"],
    ]  # fmt: skip
    np.testing.assert_allclose([entry.weight for entry in example.entries], [0.5, 0.4, 0.1])


def test_batches_add_up():
    assert found([0], [1, 2]).model_dump_json() == found(slice(None)).model_dump_json()


def test_no_example_shows_nothing():
    result = AttentionStatistics(LISTS).result()
    assert (result.places, result.examples, result.empty_share) == ([], [], 0.0)


def test_the_columns_that_are_read_are_named_once():
    assert columns_of([LISTS, LISTS]) == [
        "clicked_item", "clicked_tags", "item", "tags", "clicked_age",
    ]  # fmt: skip
