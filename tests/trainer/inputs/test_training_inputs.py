"""What a training reads of Transform's graph."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("tensorflow")
from trainer.inputs import training_inputs as inputs_file
from trainer.inputs.training_inputs import training_inputs

pytestmark = pytest.mark.tensorflow

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields:
  user: {side: user, kind: categorical, width: 4}
  shop: {side: item, kind: categorical, width: 2, hash_buckets: 3}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""


@pytest.fixture
def inputs_of(tmp_path, monkeypatch):
    """The inputs of a training over a vocabulary of width 4 with this text; None for no file."""

    def made(text):
        path = tmp_path / "vocabulary_4"
        if text is not None:
            path.write_bytes(text)
        transform = SimpleNamespace(
            vocabulary_file_by_name=lambda name: str(path) if path.exists() else None,
            transform_savedmodel_dir=str(tmp_path),
        )
        monkeypatch.setattr(inputs_file.tft, "TFTransformOutput", lambda _: transform)
        return training_inputs(SimpleNamespace(spec=SPEC, transform_graph=str(tmp_path)))

    return made


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        (b"", 0),
        (b"user\x1fa\n", 1),
        (b"user\x1fa\nuser\x1fb", 2),  # the last line has no end
        ("user\x1f\u2028\nuser\x1f\x85 \x0b\n".encode(), 2),  # line ends of Unicode are values
    ],
)
def test_a_table_has_a_row_for_each_entry_of_its_vocabulary(text, entries, inputs_of):
    inputs = inputs_of(text)
    # The user has a row for missing values and an OOV bucket; a hashed field has no vocabulary.
    assert inputs.layout.table_rows == {2: 4, 4: 2 + entries}
    assert list(inputs.vocabularies) == ["vocabulary_4"]


def test_a_vocabulary_that_transform_did_not_write_is_named(inputs_of, tmp_path):
    with pytest.raises(ValueError, match="has no vocabulary 'vocabulary_4'") as error:
        inputs_of(None)
    assert str(tmp_path) in str(error.value)
