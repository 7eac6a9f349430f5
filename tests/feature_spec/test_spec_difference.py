"""What differs between the specs of a client and of a model."""

from __future__ import annotations

import pytest
import yaml

from feature_spec.loading import parse_spec, ready_specs
from feature_spec.spec_difference import differences, differences_in_names, parts_text


def refusal(spec):
    return f"[spec fingerprint mismatch: request] [a] [model] [b] [parts] [{parts_text(spec)}]"


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        ("min_count: 2", "min_count: 3", ["fields.user_id differs in its settings"]),
        ("minimum: 0", "minimum: -0.5", ["fields.length_s differs in its settings"]),
        ("user, kind: numeric", "context, kind: numeric", ["fields.age differs in its settings"]),
        ("  age:", "  years:", ["fields.age is in the client's spec only", "fields.years is in the model's spec only"]),
        ("column: clicked", "column: liked", ["tasks.click differs in its kind, label or sample space"]),
        ("  click:", "  like:", ["tasks.click is in the client's spec only", "tasks.like is in the model's spec only"]),
        ("threshold: 0.6", "threshold: 0.7", []),
    ],
)  # fmt: skip
def test_the_part_that_differs_is_named(spec_text, before, after, difference):
    assert before in spec_text
    theirs = spec_text.replace(before, after, 1)
    if after == "  like:":
        theirs = theirs.replace("{click: 1.0}", "{like: 1.0}")
    assert differences(parse_spec(spec_text), refusal(parse_spec(theirs))) == difference


def test_nothing_is_told_of_a_model_that_names_no_parts(spec_text):
    spec = parse_spec(spec_text)
    assert differences(spec, "spec fingerprint mismatch: fields.age=1f") == []
    assert differences_in_names(spec, [], ["click"]) == []


def test_the_text_of_a_spec_with_very_many_fields_fits_into_the_header_of_a_message(spec_text):
    field = "  f{0}: {{side: item, kind: categorical}}\n".format
    many = parse_spec(spec_text.replace("fields:\n", "fields:\n" + "".join(map(field, range(900)))))
    assert len(parts_text(many)) < 4100
    [told] = differences(
        parse_spec(spec_text.replace("min_count: 2", "min_count: 3")),
        refusal(parse_spec(spec_text)),
    )
    assert told == "fields.user_id differs in its settings"
    # What the cut text leaves out is not said to be missing.
    assert not [told for told in differences(many, refusal(many)) if "only" in told]


def test_names_of_the_signature_tell_fields_and_tasks_of_an_earlier_model(spec_text):
    inputs = ["user_id", "item_id", "recent", "length_s", "color", "spec_fingerprint"]
    inputs += ["weight_of_click", "weight_of_duration"]
    outputs = ["click", "ranking_score", "log_ranking_score"]
    assert differences_in_names(parse_spec(spec_text), inputs, outputs) == [
        "fields.age is in the client's spec only",
        "tasks.ratio is in the client's spec only",
        "fields.color is in the model's spec only",
    ]


def test_joint_probabilities_of_the_signature_are_no_tasks(spec_text):
    inputs, outputs = ["user_id"], ["click", "ratio", "joint_of_ratio", "ranking_score"]
    told = differences_in_names(parse_spec(spec_text), inputs, outputs)
    assert not [part for part in told if part.startswith("tasks.")]


def test_fingerprints_stay_what_models_were_exported_with():
    document = yaml.safe_load(ready_specs()["short_video"].read_text(encoding="utf-8"))
    del document["histories"]  # which no model had then
    spec = parse_spec(yaml.safe_dump(document, sort_keys=False))
    assert spec.fingerprint == "97c37dfd1f1fe7e6"
    assert spec.earlier_fingerprint == "4429b7127cab773b"
