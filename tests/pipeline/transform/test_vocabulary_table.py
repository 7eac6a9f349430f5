"""Lookups by fingerprints, on vocabularies written by hand."""

import pytest

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def entries(tmp_path):
    """A function that looks values of fields up in a vocabulary of the given lines."""
    import tensorflow as tf

    from pipeline.transform.vocabulary_table import VocabularyTable, fingerprints, keys

    def look_up(lines, fields, values):
        file = tmp_path / "vocabulary"
        file.write_bytes(b"".join(line + b"\n" for line in lines))
        table = VocabularyTable(tf.constant(str(file)))

        # In a graph of its own: TensorFlow Transform annotates results in the default one, and a
        # later analysis in this process would come upon them.
        @tf.function
        def found():
            return table.entries(
                keys(*map(fingerprints, (tf.constant(fields), tf.constant(values))))
            )

        return found().numpy().tolist()

    return look_up


def test_an_entry_has_the_number_of_its_line_and_another_value_has_none(entries):
    lines = [b"color\x1fred", b"item\x1fa", b"color\x1fblue"]
    assert entries(lines, ["color", "color", "item", "item"], ["blue", "red", "a", "red"]) == [
        2,
        0,
        1,
        -1,
    ]


def test_value_a_of_field_b_is_not_value_b_of_field_a(entries):
    lines = [b"a\x1fb", b"b\x1fa"]
    assert entries(lines, ["a", "b", "a"], ["b", "a", "a"]) == [0, 1, -1]


def test_a_value_may_hold_separators_spaces_and_bytes_that_are_no_text(entries):
    lines = [b"f\x1fx\x1fy", b"f\x1f two words ", b"f\x1f\xff"]
    assert entries(lines, ["f"] * 4, [b"x\x1fy", b" two words ", b"\xff", b"x"]) == [0, 1, 2, -1]


def test_a_vocabulary_without_entries_knows_no_value(entries):
    assert entries([], ["f", "f"], ["", "x"]) == [-1, -1]


def test_the_line_that_stands_for_an_empty_vocabulary_is_no_value(entries):
    from tensorflow_transform import analyzers

    _, line = analyzers.get_empy_vocabulary_dummy_value("string")
    assert entries([line], ["f", "f"], ["", "x"]) == [-1, -1]


def test_a_saved_graph_loads_with_another_vocabulary_than_that_it_was_made_with(tmp_path):
    import tensorflow as tf

    from pipeline.transform.vocabulary_table import VocabularyTable, fingerprints, keys

    file = tmp_path / "vocabulary"
    file.write_bytes(b"f\x1fa\nf\x1fb\n")
    model = tf.Module()
    model.asset = tf.saved_model.Asset(str(file))
    table = VocabularyTable(model.asset.asset_path)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def entries(values):
        return table.entries(keys(fingerprints(tf.constant(["f"])), fingerprints(values)))

    model.entries = entries
    assert entries(tf.constant(["a", "c"])).numpy().tolist() == [0, -1]
    model.table = table._table
    tf.saved_model.save(model, str(tmp_path / "model"))
    (tmp_path / "model" / "assets" / "vocabulary").write_bytes(b"f\x1fb\nf\x1fa\nf\x1fc\n")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    assert loaded.entries(tf.constant(["a", "c"])).numpy().tolist() == [1, 2]
