"""`fulcrum inspect` on exported models: from serialised examples to tables, JSON and pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

tf = pytest.importorskip("tensorflow")
from feature_spec.artifacts.inspection import Multiplications  # noqa: E402
from feature_spec.loading import parse_spec  # noqa: E402
from trainer import commands  # noqa: E402
from trainer.export.saved_model import export  # noqa: E402
from trainer.inspect.collect import inspect_model  # noqa: E402
from trainer.inspect.exported_model import ExportedModelError, model_folder  # noqa: E402
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
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
  ratio: {kind: regression, label: {rule: column, column: r}, metric: mse, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0, ratio: 0.5}}
"""
SETTINGS = {
    "ple": {"levels": 1, "task_experts": 1, "shared_experts": 1, "expert_units": [3]},
    "mssm": {"units": 4},
    "cross_stitch": {"units": [3]},
    "single_task": {},
    "shared_bottom": {
        "bottom_units": [3],
        "personalise": {"domain": ["color"], "prior": ["price"]},
    },
}


class Transform(tf.keras.layers.Layer):
    """In the place of the transform graph: a hash of the colour, and the price as it is."""

    def call(self, inputs):
        outputs = {}
        if "color" in inputs:
            outputs["request_ids"] = (
                1 + tf.strings.to_hash_bucket_fast(inputs["color"], 8)[:, tf.newaxis]
            )
        if "price" in inputs:
            outputs["candidate_numbers"] = inputs["price"][:, tf.newaxis]
        if "label_of_click" in inputs:
            for feature, prefix in (("labels", "label_of"), ("masks", "mask_of")):
                outputs[feature] = tf.stack(
                    [inputs[f"{prefix}_{task}"] for task in ("click", "ratio")], axis=1
                )
        return outputs


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Makes an exported model, once a name, with the weights of `PREPARED`."""
    made = {}

    def make(name):
        if name not in made:
            spec = parse_spec(SPEC)
            tf.keras.utils.set_random_seed(0)
            settings = parse_settings({"name": name, "tower_units": [4], **SETTINGS[name]}, {})
            network = Network(network_layout(spec, {}), settings)
            transform = Transform()
            network(transform({"color": tf.constant(["red"]), "price": tf.constant([1.0])}))
            PREPARED.get(name, lambda _: None)(network)
            folder = tmp_path_factory.mktemp(name)
            export(spec, SPEC, network, transform, folder)
            made[name] = folder
        return made[name]

    return make


def write_examples(path, rows):
    """Rows of (colour, price) as gzipped TFRecords."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for color, price in rows:
            features = {
                "color": tf.train.Feature(bytes_list=tf.train.BytesList(value=[color.encode()])),
                "price": tf.train.Feature(float_list=tf.train.FloatList(value=[price])),
            }
            writer.write(
                tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
            )
    return str(path)


def gates_that_read_the_price_only(network):
    # The input is (colour's 2 columns, price). Click's gate has logits (price · ln 3, 0), ratio's
    # (0, 0).
    kernel = np.zeros((3, 4), "f4")
    kernel[2, 0] = np.log(3.0)
    network.sharing.levels[0].gates[0].kernel.assign(kernel)


def test_gate_weights_are_averaged_over_all_examples(exported, tmp_path):
    folder = exported("ple")
    files = [
        write_examples(tmp_path / "a.gz", [("red", 0.0), ("blue", 1.0)]),
        write_examples(tmp_path / "b.gz", [("red", 2.0)]),
    ]
    found = inspect_model(folder, [str(tmp_path / "*.gz"), files[0]])
    # A file that two patterns match counts once.
    assert found.examples == 3
    click, ratio = found.gates
    assert (click.gate, ratio.gate) == ("level_1/task_click", "level_1/task_ratio")
    assert [weight.expert for weight in click.experts] == ["own 1 of click", "shared 1"]
    assert [weight.expert for weight in ratio.experts] == ["own 1 of ratio", "shared 1"]
    # softmax(price · ln 3, 0) = 3^price / (3^price + 1): 1/2, 3/4, 9/10. Their mean is 2.15/3 =
    # .716667; the deviations −.216667, .033333, .183333 have the mean square (.046944 + .001111 +
    # .033611)/3 = .027222, whose root is .164992.
    for weight, mean in zip(click.experts, (0.716667, 0.283333), strict=True):
        assert weight.mean == pytest.approx(mean, abs=1e-5)
        assert weight.standard_deviation == pytest.approx(0.164992, abs=1e-5)
    for weight in ratio.experts:
        assert (weight.mean, weight.standard_deviation) == (
            pytest.approx(0.5),
            pytest.approx(0.0, abs=1e-6),
        )


def mask_of_price_is_tanh_and_half_the_cells_are_closed(network):
    fscm, cssm = network.sharing.subnetworks, network.sharing.connection
    # A query of (0, 0 | 1) a sub-network: the colour's mask is tanh(0), the price's is
    # relu(tanh(price)).
    fscm.query.assign(np.tile(np.array([0.0, 0.0, 1.0], "f4"), (3, 1)))
    fscm.mask_bias.assign(np.zeros((3, 2), "f4"))
    # σ(±20) stretches to 0 and 1. In click's own block cells 1 and 2 are closed, in its block of
    # the shared one cell 1.
    log_alpha = np.full((2, 2, 4), 20.0, "f4")
    log_alpha[0, 0, :2] = log_alpha[0, 1, 0] = -20.0
    cssm.task_gate.log_alpha.assign(log_alpha)


def test_field_masks_and_closed_cells_of_mssm(exported, tmp_path):
    folder = exported("mssm")
    examples = write_examples(
        tmp_path / "a.gz", [("red", 1.0), ("red", -1.0), ("blue", 0.0), ("blue", -3.0)]
    )
    found = inspect_model(folder, [examples])
    assert [one.subnetwork for one in found.field_masks] == [
        "own of click",
        "own of ratio",
        "shared",
    ]
    for one in found.field_masks:
        color, price = one.fields
        assert (color.field, color.mean, color.zero_share) == ("color", 0.0, 1.0)
        # tanh(1) = .761594 in one row of four; a negative score closes the mask.
        assert (price.field, price.zero_share) == ("price", 0.75)
        assert price.mean == pytest.approx(0.761594 / 4, abs=1e-6)
    shares = {
        (block.source, block.target): (block.gates, block.closed_share, block.mean)
        for block in found.blocks
    }
    assert shares == {
        ("own of click", "click"): (4, 0.5, 0.5),
        ("shared", "click"): (4, 0.25, 0.75),
        ("own of ratio", "ratio"): (4, 0.0, 1.0),
        ("shared", "ratio"): (4, 0.0, 1.0),
    }


def test_the_export_of_mssm_is_pruned_and_says_how_far(exported, tmp_path):
    folder = exported("mssm")
    found = inspect_model(folder, [write_examples(tmp_path / "a.gz", [("red", 1.0)])])
    # Three sub-networks multiply a column by a query, a mask and 4 units: 3 · 6 = 18. The colour
    # has 2 columns, the price 1. Behind them are four blocks of 4 × 4, 64, and two towers of 4 · 4
    # + 4 · 1 = 20.
    assert found.multiplications.all_open == Multiplications(request=2 * 18, candidate=18 + 64 + 40)
    left = found.multiplications.remaining
    # The colour is masked. Of each sub-network, units with a weight above 0 fire when the price is;
    # the others are left out.
    assert left.request == 0
    assert left.candidate < 122
    result = invoke("--model", folder, "--examples", tmp_path / "a.gz")
    assert "Multiplications that the export left: " in result.output
    assert f"a candidate {left.candidate} of 122" in result.output
    assert "a request 0 of 36 (0%)" in result.output


def test_the_pruned_signatures_score_as_the_whole_network_does(exported, tmp_path):
    folder = exported("mssm")
    spec = parse_spec(SPEC)
    # Made as the exported one was.
    tf.keras.utils.set_random_seed(0)
    network = Network(
        network_layout(spec, {}),
        parse_settings({"name": "mssm", "tower_units": [4], **SETTINGS["mssm"]}, {}),
    )
    network(Transform()({"color": tf.constant(["red"]), "price": tf.constant([1.0])}))
    mask_of_price_is_tanh_and_half_the_cells_are_closed(network)
    rows = [("red", 1.0), ("blue", -2.0), ("", 3.5)]
    examples = (
        tf.data.TFRecordDataset(write_examples(tmp_path / "a.gz", rows), "GZIP")
        .batch(3)
        .get_single_element()
    )
    expected = network(
        Transform()(
            {"color": tf.constant([c for c, _ in rows]), "price": tf.constant([p for _, p in rows])}
        )
    )
    loaded = tf.saved_model.load(str(folder))
    scores = loaded.signatures["serving_default"](examples)
    np.testing.assert_allclose(scores["click"], tf.sigmoid(expected["click"]), atol=1e-6)
    np.testing.assert_allclose(scores["ratio"], expected["ratio"], atol=1e-6)


def gates_follow_color_and_price(network):
    of_input, of_towers = network.gates[0].of_input, network.gates[0].of_towers
    # The colour of a row is (1, ·) or (0, ·). Where it is 1, the price's gate is 2σ(ln 3) = 1.5.
    rows = np.zeros((9, 2), "f4")
    rows[1 + tf.strings.to_hash_bucket_fast(tf.constant("red"), 8).numpy(), 0] = 1.0
    network.embeddings[0].tables["2"].assign(rows)
    for unit in (of_input, of_towers):
        unit.prior_kernel.assign(tf.zeros_like(unit.prior_kernel))
        unit.input_kernel.assign(tf.zeros_like(unit.input_kernel))
    of_input.prior_kernel[0, 0].assign(1.0)
    of_input.head_kernel[0, 2].assign(np.log(3.0))
    # The first of click's four units has the gate 2σ(price · ln 3), the others 1.
    of_towers.prior_kernel[0, 0].assign(1.0)
    of_towers.head_kernel[0, 0].assign(np.log(3.0))


PREPARED = {
    "ple": gates_that_read_the_price_only,
    "mssm": mask_of_price_is_tanh_and_half_the_cells_are_closed,
    "shared_bottom": gates_follow_color_and_price,
}


def test_gates_are_shown_over_all_examples_and_by_the_values_of_the_domain(exported, tmp_path):
    folder = exported("shared_bottom")
    rows = [("red", 1.0), ("blue", 0.0), ("red", 0.0), ("", 1.0)]
    examples = write_examples(tmp_path / "a.gz", rows)
    found = inspect_model(folder, [examples]).personalised
    assert (found.fields, found.layers) == (["color", "price"], ["click layer 1", "ratio layer 1"])
    # The price's gate is 1.5 in two of four rows; a gate of 1.5 of four units is .125 from 1 on
    # average.
    assert found.overall.fields == pytest.approx([1.0, 1.25])
    assert found.deviations.fields == pytest.approx([0.0, 0.25])
    assert found.overall.layers == pytest.approx([0.0625, 0.0])
    [by_color] = found.by
    assert by_color.field == "color"
    shown = [(one.value, one.examples, one.fields[1], one.layers[0]) for one in by_color.values]
    assert shown == [
        ("red", 2, pytest.approx(1.5), pytest.approx(0.0625)),
        ("blue", 1, pytest.approx(1.0), pytest.approx(0.0)),
        ("missing", 1, pytest.approx(1.0), pytest.approx(0.125)),
    ]
    html = tmp_path / "inside.html"
    result = invoke("--model", folder, "--examples", examples, "--html", html)
    assert "Mean gates of fields: 1 leaves a field as it is, over 4 examples" in result.output
    assert "Gates of fields by domain: mean gate − 1 over 4 examples" in html.read_text("utf-8")
    assert "color red (2)" in html.read_text("utf-8")


def test_coefficients_need_no_examples(exported):
    found = inspect_model(exported("cross_stitch"))
    assert found.examples == 0
    (alpha,) = found.mixtures
    assert (alpha.name, alpha.sources, alpha.targets) == (
        "unit_1/alpha",
        ["click", "ratio"],
        ["click", "ratio"],
    )
    # As they begin: .9 of a task's own.
    np.testing.assert_allclose(alpha.values, [[0.9, 0.1], [0.1, 0.9]], atol=1e-6)


def test_the_signature_exists_only_where_something_depends_on_examples(exported):
    signatures = {
        name: set(tf.saved_model.load(str(exported(name))).signatures) for name in SETTINGS
    }
    common = {"serving_default", "rank", "rank_top_k", "transform_features"}
    assert signatures == {
        "ple": common | {"inspect"}, "mssm": common | {"inspect"}, "cross_stitch": common, "single_task": common,
        "shared_bottom": common | {"inspect"},
    }  # fmt: skip


@pytest.fixture
def root(exported, tmp_path):
    """A pipeline root with two pushed models and two ingested evaluation splits."""
    for version, name in ((9, "single_task"), (10, "ple")):
        (tmp_path / "serving_model").mkdir(exist_ok=True)
        (tmp_path / "serving_model" / str(version)).symlink_to(exported(name))
    examples = tmp_path / "artifacts" / "LogsExampleGen" / "examples"
    write_examples(
        examples / "9" / "Split-evaluation" / "data_tfrecord-00000-of-00001.gz", [("red", 0.0)] * 5
    )
    write_examples(
        examples / "10" / "Split-evaluation" / "data_tfrecord-00000-of-00001.gz", [("red", 0.0)] * 2
    )
    write_examples(
        examples / "10" / "Split-train" / "data_tfrecord-00000-of-00001.gz", [("red", 0.0)] * 7
    )
    return tmp_path


def test_of_a_root_the_newest_model_and_evaluation_split_are_taken(root):
    assert (
        model_folder(root) == model_folder(root / "serving_model") == root / "serving_model" / "10"
    )
    found = inspect_model(root)
    assert (found.model, found.examples) == ("ple", 2)


def invoke(*arguments):
    app = typer.Typer()
    commands.add_to(app)
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)], env={"COLUMNS": "200"})


def test_the_command_prints_tables_and_writes_json_and_html(root, tmp_path):
    result = invoke(
        "--model", root, "--json", tmp_path / "found.json", "--html", tmp_path / "found.html"
    )
    assert result.exit_code == 0, result.output
    assert "Gate weights over 2 examples" in result.output
    assert "own 1 of ratio" in result.output
    found = json.loads((tmp_path / "found.json").read_text())
    assert list(found) == [
        "model",
        "folder",
        "examples",
        "gates",
        "field_masks",
        "blocks",
        "mixtures",
        "multiplications",
        "histories",
        "personalised",
        "calibration",
        "expert_outputs",
        "training_only",
        "feature_gates",
        "heads",
    ]
    # A price of 0 leaves click's logits at 0: one half each.
    assert found["gates"][0] == {
        "gate": "level_1/task_click",
        "experts": [
            {"expert": "own 1 of click", "mean": 0.5, "standard_deviation": 0.0},
            {"expert": "shared 1", "mean": 0.5, "standard_deviation": 0.0},
        ],
    }
    assert "level_1/task_click" in (tmp_path / "found.html").read_text()


def test_a_model_with_nothing_to_show_says_so(exported):
    result = invoke("--model", exported("single_task"))
    assert result.exit_code == 0
    assert "single_task has nothing to show" in result.output


def test_a_file_that_cannot_be_written_is_named(exported, tmp_path):
    (tmp_path / "file").touch()
    result = invoke("--model", exported("single_task"), "--json", tmp_path / "file" / "found.json")
    assert result.exit_code == 2
    assert "file/found.json" in result.output


def test_a_version_of_its_own_needs_examples(exported):
    result = invoke("--model", exported("ple"))
    assert result.exit_code == 1
    assert "give --examples" in result.output


@pytest.mark.parametrize("content", [b"no TFRecord", b""])
def test_files_without_examples_are_refused(exported, tmp_path, content):
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(ExportedModelError, match="not gzipped TFRecords|there is no example"):
        inspect_model(exported("ple"), [str(tmp_path / "a.gz")])


def test_records_that_are_no_examples_are_refused(exported, tmp_path):
    with tf.io.TFRecordWriter(
        str(tmp_path / "a.gz"), tf.io.TFRecordOptions(compression_type="GZIP")
    ) as writer:
        writer.write(b"\xff\xff\xff")
    with pytest.raises(ExportedModelError, match="not gzipped TFRecords of tf.Examples"):
        inspect_model(exported("ple"), [str(tmp_path / "a.gz")])


def test_a_pattern_without_files_is_named(exported, tmp_path):
    with pytest.raises(ExportedModelError, match="no file matches --examples .*nothing"):
        inspect_model(exported("ple"), [str(tmp_path / "nothing*")])


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(ExportedModelError, match="neither an exported model"):
        inspect_model(tmp_path)


def test_a_model_from_before_inspection_is_named(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ExportedModelError, match="exported before models could be inspected"):
        inspect_model(tmp_path)


HISTORY_SPEC = SPEC.replace(
    "  price:",
    "  past: {side: user, kind: sequence, shares: item, max_length: 3, pooling: dot_product, heads: 1}\n"
    "  item: {side: item, kind: categorical, width: 2, hash_buckets: 8}\n  price:",
)


class HashedItems(Transform):
    """In the place of the transform graph: hashes of the items, too, behind the colour's rows."""

    def call(self, inputs):
        outputs = super().call(inputs)

        def rows(texts):
            return tf.where(
                texts == "", tf.constant(9, tf.int64), 10 + tf.strings.to_hash_bucket_fast(texts, 8)
            )

        if "past" in inputs:
            past = tf.sparse.to_dense(inputs["past"])[:, :3]
            past = tf.pad(past, [[0, 0], [0, 3 - tf.shape(past)[1]]])
            outputs["request_ids"] = tf.concat(
                [outputs["request_ids"], tf.ensure_shape(rows(past), [None, 3])], axis=1
            )
        if "item" in inputs:
            outputs["candidate_ids"] = rows(inputs["item"])[:, tf.newaxis]
        return outputs


@pytest.fixture(scope="module")
def with_history(tmp_path_factory):
    """A model without gates whose candidates attend to what they share a row with."""
    spec = parse_spec(HISTORY_SPEC)
    network = Network(network_layout(spec, {}), parse_settings({"name": "shared_bottom"}, {}))
    zeros = {"request_ids": [[1, 9, 9, 9]], "candidate_ids": [[9]], "candidate_numbers": [[0.0]]}
    network({name: tf.constant(values) for name, values in zeros.items()})
    [[layer]] = network.attentions
    for kernel in (layer.query, layer.key):
        kernel.assign(tf.reshape(tf.eye(2), [2, 1, 2]))
    # Rows are unit vectors at angles of 45 degrees.
    angles = np.pi / 4 * np.arange(network.embedding_tables[0].shape[0])
    network.embedding_tables[0].assign(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    folder = tmp_path_factory.mktemp("history")
    export(spec, HISTORY_SPEC, network, HashedItems(), folder)
    return folder


def test_attention_shows_what_candidates_look_at(with_history, tmp_path):
    with tf.io.TFRecordWriter(
        str(tmp_path / "a.gz"), tf.io.TFRecordOptions(compression_type="GZIP")
    ) as writer:
        for past in (["a", "c"], []):
            features = {
                name: tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[text.encode() for text in texts])
                )
                for name, texts in {"color": ["red"], "item": ["a"], "past": past}.items()
            }
            features["price"] = tf.train.Feature(float_list=tf.train.FloatList(value=[1.0]))
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    result = invoke("--model", with_history, "--examples", tmp_path / "a.gz")
    assert result.exit_code == 0, result.output
    [history] = inspect_model(with_history, [str(tmp_path / "a.gz")]).histories
    assert (history.history, history.empty_share) == ("past", 0.5)
    [alike] = history.alike
    rows = [10 + tf.strings.to_hash_bucket_fast(text, 8).numpy() for text in ("a", "c")]
    # The score of an entry is cos(angle) / √2, and 1 / √2 of the candidate's own row.
    scores = [np.cos(np.pi / 4 * (row - rows[0])) / np.sqrt(2) for row in rows]
    expected = np.exp(scores[0]) / np.sum(np.exp(scores))
    np.testing.assert_allclose(
        [alike.mean, alike.mean_of_others], [expected, 1 - expected], atol=1e-5
    )
    [example] = history.examples
    assert [entry.values for entry in example.entries] == [{"past": "a"}, {"past": "c"}]
    assert "Weights of entries of past (dot_product; 50.0% of examples have none)" in result.output
    assert "past: heaviest of 2 entries for item a" in result.output
