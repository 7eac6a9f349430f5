"""`fulcrum tune-formula` on an exported model: from serialised examples to a formula file."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

tf = pytest.importorskip("tensorflow")
from feature_spec.formula import weights_in_force  # noqa: E402
from feature_spec.loading import load_formula, parse_spec  # noqa: E402
from trainer import commands  # noqa: E402
from trainer.export.saved_model import export  # noqa: E402
from trainer.formula_search.logged_exposures import scored_exposures  # noqa: E402
from trainer.formula_search.objective import Objective  # noqa: E402
from trainer.network.network import Network  # noqa: E402
from trainer.network.network_layout import network_layout  # noqa: E402
from trainer.settings.train_config import parse_settings  # noqa: E402

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields:
  color: {side: user, kind: categorical, width: 2, hash_buckets: 8}
  price: {side: item, kind: numeric}
  length_s: {side: item, kind: numeric}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
  ratio: {kind: regression, label: {rule: column, column: r}, metric: mse, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0, ratio: 0.5}, duration: {field: length_s, scale: 10.0, weight: 0.2}}
"""
REQUESTS, CANDIDATES = 60, 5


class Transform(tf.keras.layers.Layer):
    """In the place of the transform graph: a hash of the colour, and both numbers as they are, 0 where missing."""

    def call(self, inputs):
        outputs = {}
        if "color" in inputs:
            outputs["request_ids"] = (
                1 + tf.strings.to_hash_bucket_fast(inputs["color"], 8)[:, tf.newaxis]
            )
        if "price" in inputs:
            numbers = tf.stack([inputs[name] for name in ("price", "length_s")], axis=1)
            outputs["candidate_numbers"] = tf.where(tf.math.is_nan(numbers), 0.0, numbers)
        if "label_of_click" in inputs:
            for feature, prefix in (("labels", "label_of"), ("masks", "mask_of")):
                outputs[feature] = tf.stack(
                    [inputs[f"{prefix}_{task}"] for task in ("click", "ratio")], axis=1
                )
        return outputs


def feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if isinstance(value, int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
    return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A pipeline root with a pushed model and an evaluation split. A click follows from a low length."""
    folder = tmp_path_factory.mktemp("root")
    spec = parse_spec(SPEC)
    tf.keras.utils.set_random_seed(0)
    network = Network(
        network_layout(spec, {}), parse_settings({"name": "single_task", "tower_units": [4]}, {})
    )
    transform = Transform()
    network(
        transform(
            {
                "color": tf.constant(["red"]),
                "price": tf.constant([1.0]),
                "length_s": tf.constant([1.0]),
            }
        )
    )
    export(spec, SPEC, network, transform, folder / "serving_model" / "7")
    split = folder / "artifacts" / "LogsExampleGen" / "examples" / "3" / "Split-evaluation"
    split.mkdir(parents=True)
    random = np.random.default_rng(0)
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    with tf.io.TFRecordWriter(str(split / "data_tfrecord-00000-of-00001.gz"), options) as writer:
        # The last request has one exposure only, and the last exposure of all no request.
        sizes = [CANDIDATES] * REQUESTS + [1, 1]
        for request, size in enumerate(sizes):
            for place in range(size):
                length = float(random.uniform(1.0, 60.0))
                values = {
                    "user_key": f"u{request % 20}".encode(), "event_time_us": request,
                    "price": float(random.normal()), "length_s": length,
                    "label_of_click": float(random.uniform(1.0, 60.0) > length), "mask_of_click": 1.0,
                    # Outside the sample space in each first place.
                    "label_of_ratio": 0.5, "mask_of_ratio": float(place > 0),
                }  # fmt: skip
                if request < REQUESTS + 1:
                    values["request_key"] = f"r{request}".encode()
                if place == 1:
                    del values["length_s"]
                features = {name: feature(value) for name, value in values.items()}
                writer.write(
                    tf.train.Example(
                        features=tf.train.Features(feature=features)
                    ).SerializeToString()
                )
    return folder


@pytest.fixture(scope="module")
def files(root):
    return [
        str(file) for file in root.glob("artifacts/LogsExampleGen/examples/3/Split-evaluation/*")
    ]


def test_log_factors_times_weights_are_the_models_own_ranking_score(root, files):
    spec = parse_spec(SPEC)
    exposures = scored_exposures(root / "serving_model" / "7", files, spec, [Objective("click")])
    weights = np.array(list(weights_in_force(spec.ranking_formula, spec.tasks).values()))
    assert np.ptp(exposures.ranking_scores) > 0.01
    np.testing.assert_allclose(
        np.exp(exposures.log_factors @ weights), exposures.ranking_scores, rtol=1e-5
    )


def test_gains_are_the_labels_in_the_sample_space_times_the_duration_where_asked(root, files):
    objectives = [Objective("ratio"), Objective("ratio", times_duration=True)]
    exposures = scored_exposures(root / "serving_model" / "7", files, parse_spec(SPEC), objectives)
    ratio, times_duration = exposures.gains[:CANDIDATES].T
    assert ratio.tolist() == [0.0, 0.5, 0.5, 0.5, 0.5]
    # A first place is outside the sample space, and a second one's length is missing.
    assert times_duration[:2].tolist() == [0.0, 0.0]
    assert (times_duration[2:] > 0.5).all()


def invoke(*arguments):
    app = typer.Typer()
    commands.add_to(app)
    return CliRunner().invoke(app, ["tune-formula", *map(str, arguments)], env={"COLUMNS": "200"})


def test_the_command_finds_a_formula_and_writes_it_with_numbers_and_picture(root, tmp_path):
    result = invoke(
        "--model", root, "--objective", "click", "--objective", "ratio*duration", "--top-k", 2, "--trials", 60,
        "--out", tmp_path / "formula.yaml", "--json", tmp_path / "found.json", "--picture", tmp_path / "front.svg",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "found.json").read_text())
    exposures, groups = found["exposures"], found["groups"]
    assert exposures["logged"] == REQUESTS * CANDIDATES + 2
    assert exposures["searched"] + exposures["held_out"] == REQUESTS * CANDIDATES
    assert (exposures["without_key"], exposures["in_groups_left_out"], groups["left_out"]) == (
        1,
        1,
        1,
    )
    assert (
        "302 logged exposures = 150 searched + 150 held out + 1 where order makes no difference + 1 without a key"
        in result.output
    )
    assert ("302/?" in result.stderr, "60/60" in result.stderr) == (True, True)
    formula = load_formula(tmp_path / "formula.yaml")
    chosen = found["front"][found["chosen"]]
    assert {**formula.weights, "duration": formula.duration.weight} == chosen["weights"]
    assert formula.duration.scale == 10.0
    assert [one["objective"] for one in chosen["held_out"]] == ["click", "ratio*duration"]
    assert "<svg" in (tmp_path / "front.svg").read_text()


def test_one_objective_finds_that_short_items_are_clicked(root, tmp_path):
    out = tmp_path / "formula.yaml"
    result = invoke(
        "--model", root, "--objective", "click", "--top-k", 2, "--trials", 100, "--out", out
    )
    assert result.exit_code == 0, result.output
    assert yaml.safe_load(out.read_text())["ranking_formula"]["duration"]["weight"] < 0.0
    assert "gain" in result.output


def test_where_nothing_is_better_it_says_so_with_exit_code_3_and_writes_no_file(root, tmp_path):
    out = tmp_path / "formula.yaml"
    # Of two weightings, the second rewards length, so that less is clicked.
    result = invoke(
        "--model", root, "--objective", "click", "--trials", 2, "--seed", 4, "--out", out
    )
    assert result.exit_code == 3, result.output
    assert "Keep what you have: no weights tried are better on every objective." in result.output
    assert not out.exists()
    other = invoke("--model", root, "--minimise", "click", "--trials", 2, "--seed", 4, "--out", out)
    assert other.exit_code == 0, other.output
    assert "click (less is better)" in other.output
    earlier = out.read_text()
    assert "for less click" in earlier
    kept = invoke("--model", root, "--objective", "click", "--trials", 2, "--seed", 4, "--out", out)
    assert kept.exit_code == 3
    assert f"{out} was there before: it is left as it was." in kept.output
    assert out.read_text() == earlier


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--objective", "clic"), "--objective clic: no such task: did you mean 'click'"),
        (
            ("--objective", "click", "--picture", "front.gif"),
            "front.gif: a name that ends in .png, .svg, .pdf is needed",
        ),
        (
            ("--objective", "click", "--picture", "front.png"),
            "a Pareto front needs two objectives or more; received 1",
        ),
        ((), "give --objective or --minimise at least once"),
        (
            ("--objective", "click", "--minimise", "click"),
            "click: give it to --objective or to --minimise, not to both",
        ),
        (("--minimise", "clic"), "--minimise clic: no such task: did you mean 'click'"),
        (("--objective", "click", "--examples", "none/*"), "no file matches --examples none/*"),
        (
            ("--objective", "click", "--top-k", 9, "--discount", "none"),
            "no request has 10 or more exposures",
        ),
    ],
)
def test_what_cannot_be_searched_is_explained_without_a_stack_trace(root, options, problem):
    result = invoke("--model", root, *options)
    assert result.exit_code == 1
    assert problem in result.stderr
    assert "Traceback" not in result.output


def test_a_model_without_a_root_needs_examples(root):
    result = invoke("--model", root / "serving_model" / "7", "--objective", "click")
    assert result.exit_code == 1
    assert "give --examples: formulas are compared on logged exposures" in result.stderr
