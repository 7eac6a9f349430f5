"""The export: three signatures that agree with each other and with the network, in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
keys: {event_time: {column: t, unit: s}}
histories:
  known_after_s: 60
  sequences:
    clicked: {by: color, fields: [item, tags, hour], feedback: [click], max_length: 3, heads: 3}
    bought:
      {by: color, fields: [item], age: false, pooling: activation_unit, search_by: item}
    seen: {by: color, fields: [item], pooling: mean, max_length: 2}
fields:
  color: {side: user, kind: categorical, width: 4}
  recent: {side: user, kind: sequence, shares: item, max_length: 2}
  liked: {side: user, kind: sequence, shares: item, max_length: 2, pooling: activation_unit}
  age: {side: user, kind: numeric}
  hour: {side: context, kind: categorical, width: 4}
  place: {side: item, kind: categorical, width: 4, training_only: {dropout_rate: 0.5}}
  item: {side: item, kind: categorical, width: 4}
  tags: {side: item, kind: multi_categorical, width: 2, max_length: 3}
  size_s: {side: item, kind: numeric, transform: quantiles, buckets: 4, width: 2}
  price: {side: item, kind: numeric, transform: log1p_z_score, minimum: 0}
  taste: {side: user, kind: vector, dimension: 2, project: 3, normalise: true}
  look: {side: item, kind: vector, dimension: 3, project: 2}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
  ratio: {kind: regression, label: {rule: column, column: r}, metric: mse, threshold: 0.5, tolerance: 0.1}
  watch: {kind: regression, label: {rule: column, column: w}, metric: mse, threshold: 0.5, tolerance: 0.1, head: ordinal, cuts: 5}
  share: {kind: regression, label: {rule: column, column: s}, metric: xauc, threshold: 0.5, tolerance: 0.1, head: quantiles, levels: 4}
ranking_formula:
  weights: {click: 1.0, ratio: 0.5, watch: 0.4, share: 0.2}
  duration: {field: size_s, scale: 10, weight: 0.3}
"""
# Aligned lists: a missing value keeps its place.
HISTORIES = {
    "liked": ["c"],
    "clicked_item": ["a", "never seen", ""],
    "clicked_tags": ["x", "", "y"],
    "clicked_hour": ["7", "8", ""],
    "clicked_age": ["3", "5", "9"],
    "clicked_feedback": ["click", "none", "none"],
    "bought_item": ["b", "a", "b"],
    "seen_item": ["", "a"],
    "seen_age": ["4", "4"],
}
# Examples have a place, which no score may depend on.
USER = {
    "color": "red",
    "place": "3",
    "taste": [0.5, -2.0],
    "recent": ["a", "b"],
    "age": 30.0,
    "hour": "7",
    **HISTORIES,
}
ITEMS = [
    {"item": "a", "tags": ["x"], "size_s": 12.0, "price": 1.0, "look": [0.1, 0.2, 0.3]},
    {
        "item": "never seen",
        "tags": ["x", "unseen"],
        "size_s": 1e9,
        "price": 0.0,
        "look": [1e3, 0.0, -1.0],
    },
    {"item": "b", "tags": [], "size_s": None, "price": None},
    {"item": None, "tags": ["y", "x", "y", "z"], "size_s": 0.0, "price": 9.0},
]
OUTPUTS = {"click", "ratio", "watch", "share", "ranking_score", "log_ranking_score"}
LISTS = ["recent", "tags", *HISTORIES]
UNKNOWN_USER = {
    "color": "ultraviolet", "recent": [], "age": None, "hour": None, **{name: [] for name in HISTORIES},
}  # fmt: skip


def example(fields):
    import tensorflow as tf

    features = {}
    for name, value in fields.items():
        if isinstance(value, float):
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        elif value and isinstance(value[0], float):
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=value))
        elif value:
            texts = [value] if isinstance(value, str) else value
            features[name] = tf.train.Feature(
                bytes_list=tf.train.BytesList(value=[text.encode() for text in texts])
            )
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Folder of the SavedModel, and the network's own scores of the transformed examples."""
    import apache_beam as beam
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tfx_bsl.tfxio import tf_example_record

    from feature_spec.loading import parse_spec
    from pipeline.transform.preprocessing import preprocessing_fn
    from pipeline.validate.schema import schema_from_spec
    from trainer.export.saved_model import export
    from trainer.inputs.transform_graph import TransformGraph
    from trainer.layers.distribution_towers import Labels
    from trainer.network.network import Network
    from trainer.network.network_layout import network_layout
    from trainer.settings.train_config import parse_settings

    folder = tmp_path_factory.mktemp("export")
    spec = parse_spec(SPEC)
    random = np.random.default_rng(0)
    labels = {
        "label_of_click": 1.0,
        "mask_of_click": 1.0,
        "label_of_ratio": 0.25,
        "mask_of_ratio": 0.0,
        **dict.fromkeys(["label_of_watch", "label_of_share"], 0.5),
        **dict.fromkeys(["mask_of_watch", "mask_of_share"], 0.0),
    }
    rows = [
        {
            "color": random.choice(["red", "blue"]).item(),
            "recent": ["a"],
            "age": float(random.integers(10, 60)),
            "hour": str(random.integers(0, 24)),
            "place": str(random.integers(1, 4)),
            "item": random.choice(["a", "b", "c"]).item(),
            "tags": ["x", "y"][: random.integers(0, 3)],
            "size_s": float(random.integers(0, 100)),
            "price": float(random.random()),
            "taste": random.normal(size=2).tolist(),
            "look": random.normal(size=3).tolist(),
            **HISTORIES,
            **labels,
        }
        for _ in range(50)
    ]
    tfxio = tf_example_record.TFExampleBeamRecord(
        physical_format="inmem", schema=schema_from_spec(spec)
    )
    options = beam.options.pipeline_options.PipelineOptions(["--direct_running_mode=in_memory"])
    with (
        beam.Pipeline(options=options) as pipeline,
        tft_beam.Context(temp_dir=str(folder / "temp")),
    ):
        batches = pipeline | beam.Create([example(row) for row in rows]) | tfxio.BeamSource()
        transform_fn = (batches, tfxio.TensorAdapterConfig()) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, {"spec": SPEC})
        )
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder / "transform"))

    output = tft.TFTransformOutput(str(folder / "transform"))
    sizes = {
        f"vocabulary_{width}": output.vocabulary_size_by_name(f"vocabulary_{width}")
        for width in (2, 4)
    }
    tf.keras.utils.set_random_seed(0)
    network = Network(
        network_layout(spec, sizes), parse_settings({"tower_units": [4], "dropout_rate": 0.5}, {})
    )
    layer = output.transform_features_layer()
    inputs = tf.io.parse_example(
        [example({**USER, **item, **labels}) for item in ITEMS],
        {
            **dict.fromkeys(
                ["color", "hour", "item", "place"], tf.io.FixedLenFeature([], tf.string, "")
            ),
            **dict.fromkeys(
                ["age", "size_s", "price"], tf.io.FixedLenFeature([], tf.float32, float("nan"))
            ),
            "taste": tf.io.FixedLenFeature([2], tf.float32, [float("nan")] * 2),
            "look": tf.io.FixedLenFeature([3], tf.float32, [float("nan")] * 3),
            **dict.fromkeys(LISTS, tf.io.VarLenFeature(tf.string)),
            **dict.fromkeys(labels, tf.io.FixedLenFeature([], tf.float32)),
        },
    )
    # Start far from 0, so that scores differ between rows.
    network(layer(inputs))
    for tower in network.heads.values():
        tower.learn(Labels(np.concatenate([[-20.0], np.arange(50.0) / 50, [20.0]]), np.ones(52)))
        # Inputs of this size would end at the least or the largest label.
        tower.logit.kernel.assign(0.05 * tower.logit.kernel)
    for table in network.embedding_tables:
        table.assign(tf.random.normal(table.shape))
    for part in (network.exposure_towers[0], *network.projections[0]):
        for weight in part.trainable_variables:
            weight.assign(tf.random.normal(weight.shape))
    features = layer(inputs)
    scores = {
        task: score.numpy().tolist() for task, score in network.scores(network(features)).items()
    }
    graph = TransformGraph(output.transform_savedmodel_dir)
    export(spec, SPEC, network, graph, folder / "model")
    served = []  # list.append returns None: no calibration
    export(
        spec, SPEC, network, graph, folder / "half", half_precision=True, calibrate=served.append
    )
    assert served[0].sharing.dtype_policy.name == "mixed_bfloat16"
    export(spec, SPEC, network, graph, folder / "xla", xla=True)
    fitted = calibration(spec, features["candidate_ids"][:, 0].numpy().tolist())
    export(
        spec,
        SPEC,
        network,
        graph,
        folder / "calibrated",
        xla=True,
        calibrate=lambda _: fitted,
        quantiles=quantiles(spec, features["candidate_ids"][:1, 0].numpy()),
    )
    return folder / "model", scores, network


CURVE = {"logits": [-2.0, 0.5, 1.0], "calibrated": [-4.0, -3.0, 0.5], "slope": 0.7}


def calibration(spec, rows):
    """A calibration of click by knots, with shifts of the first two items, given their rows."""
    from feature_spec.artifacts.calibration import CalibrationReport
    from trainer.calibration.calibrators import Calibrators
    from trainer.calibration.validation_fit import Fitted
    from trainer.network.slice_field import slice_field

    shifts = [
        {"row": row, "value": "a", "examples": 9, "positives": 3.0, "shift": shift}
        for row, shift in zip(rows[:2], (0.5, -1.5), strict=True)
    ]
    task = {"task": "click", "method": "isotonic", "examples": 9, "positives": 3.0}
    report = CalibrationReport.model_validate(
        {"by": "item", "shrinkage": 1.0, "tasks": [{**task, "curve": CURVE, "shifts": shifts}]}
    )
    return Fitted(report, Calibrators(report, slice_field(spec, "item")))


def quantiles(spec, rows):
    """Distributions of ratio: from 2 to 4 for the item of the row, from 1 to 2 for all others."""
    from trainer.inputs.label_quantiles import LabelQuantiles, distribution_of
    from trainer.network.slice_field import slice_field

    even = 1.0 + (np.arange(100_000) + 0.5) / 100_000
    distributions = [distribution_of(factor * even, np.ones(len(even))) for factor in (2.0, 1.0)]
    return {"ratio": LabelQuantiles(slice_field(spec, "item"), rows, distributions)}


IN_A_FRESH_PROCESS = """
import json, sys
import numpy as np
import tensorflow as tf
models, answers = {}, []
for folder, signature, inputs in json.load(sys.stdin):
    if folder not in models:
        models[folder] = tf.saved_model.load(folder)
    tensors = {}
    for name, (dtype, value) in inputs.items():
        if dtype == "hex":
            value, dtype = [bytes.fromhex(v) for v in value], "string"
        if dtype == "float32":
            value = np.array(value, "float32")
        tensors[name] = tf.constant(value, dtype)
    try:
        answer = models[folder].signatures[signature](**tensors)
        answers.append({name: tensor.numpy().tolist() for name, tensor in answer.items()})
    except tf.errors.OpError as error:
        answers.append({"error": type(error).__name__, "message": str(error)})
print(json.dumps(answers))
"""


def call(calls):
    """Answers of (folder, signature, inputs) each, in one process, which takes seconds to start."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    return json.loads(done.stdout.splitlines()[-1])


def defaults(folder, signature):
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.python.framework import tensor_util

    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    proto = saved.meta_graphs[0].signature_def[signature].defaults
    return {name: tensor_util.MakeNdarray(value).item() for name, value in proto.items()}


def default_inputs(folder):
    return {
        name: ["hex", [value.hex()]] if isinstance(value, bytes) else ["float32", value]
        for name, value in defaults(folder, "rank").items()
    }


def rank_inputs(folder, user, items, **changes):
    def number(value):
        return float("nan") if value is None else value

    width = max([1, *(len(item["tags"]) for item in items)])
    inputs = {
        "color": ["string", [user["color"] or ""]],
        **{name: ["string", [user[name] or [""]]] for name in LISTS if name in user},
        "age": ["float32", [number(user["age"])]],
        "hour": ["string", [user["hour"] or ""]],
        "item": ["string", [item["item"] or "" for item in items]],
        "tags": ["string", [item["tags"] + [""] * (width - len(item["tags"])) for item in items]],
        "size_s": ["float32", [number(item["size_s"]) for item in items]],
        "taste": ["float32", [user.get("taste", [number(None)] * 2)]],
        "look": ["float32", [item.get("look", [number(None)] * 3) for item in items]],
        "price": ["float32", [number(item["price"]) for item in items]],
        **{
            name: value
            for name, value in default_inputs(folder).items()
            if name != "spec_fingerprint"
        },
        "spec_fingerprint": ["string", defaults(folder, "rank")["spec_fingerprint"].decode()],
    }
    return inputs | changes


def serialised(user, items):
    return {"examples": ["hex", [example({**user, **item}).hex() for item in items]]}


@pytest.fixture(scope="module")
def answers(exported):
    folder, _, _ = exported
    calls = {
        "examples": ("serving_default", serialised(USER, ITEMS)),
        "rank": ("rank", rank_inputs(folder, USER, ITEMS)),
        "unknown user, examples": ("serving_default", serialised(UNKNOWN_USER, ITEMS)),
        "unknown user, rank": ("rank", rank_inputs(folder, UNKNOWN_USER, ITEMS)),
        "one example": ("serving_default", serialised(USER, ITEMS[2:3])),
        "one candidate": ("rank", rank_inputs(folder, USER, ITEMS[2:3])),
        "weights": ("rank", rank_inputs(folder, USER, ITEMS, weight_of_click=["float32", 2.0])),
        "other spec": (
            "rank",
            rank_inputs(folder, USER, ITEMS, spec_fingerprint=["string", "another"]),
        ),
        "features": ("transform_features", serialised(USER, ITEMS)),
        "top 2": ("rank_top_k", rank_inputs(folder, USER, ITEMS, top_k=["int32", 2])),
        "top 9": ("rank_top_k", rank_inputs(folder, USER, ITEMS, top_k=["int32", 9])),
        "top of equals": (
            "rank_top_k",
            rank_inputs(folder, USER, [ITEMS[0]] * 3, top_k=["int32", 2]),
        ),
        "top 0": ("rank_top_k", rank_inputs(folder, USER, ITEMS, top_k=["int32", 0])),
    }
    of_folder = {name: (str(folder), *given) for name, given in calls.items()}
    half, xla = str(folder.with_name("half")), str(folder.with_name("xla"))
    of_folder |= {
        "half, examples": (half, "serving_default", serialised(USER, ITEMS)),
        "half, rank": (half, "rank", rank_inputs(folder.with_name("half"), USER, ITEMS)),
        "two requests": (str(folder), "rank", rank_inputs(folder, USER, ITEMS * 2)),
        "xla, rank": (xla, "rank", rank_inputs(folder, USER, ITEMS)),
        "xla, one candidate": (xla, "rank", rank_inputs(folder, USER, ITEMS[2:3])),
        "xla, two requests": (xla, "rank", rank_inputs(folder, USER, ITEMS * 2)),
        "xla, top 2": (xla, *calls["top 2"]),
    }
    calibrated = str(folder.with_name("calibrated"))
    of_folder |= {
        f"calibrated, {name}": (calibrated, *calls[name]) for name in ("examples", "rank", "top 9")
    }
    of_folder |= {
        f"{form}, {wrong}": (
            place,
            "rank",
            rank_inputs(folder.with_name(form), USER, ITEMS, **changes),
        )
        for form, place in (("model", str(folder)), ("half", half), ("xla", xla))
        for wrong, changes in REFUSED.items()
    }
    return dict(zip(of_folder, call(list(of_folder.values())), strict=True))


# NaN stands for a missing number, but for no weight.
REFUSED = {
    "input weight_of_click: received nan": {"weight_of_click": ["float32", float("nan")]},
    "input weight_of_duration: received inf": {"weight_of_duration": ["float32", float("inf")]},
    "input price[1]: received -1": {"price": ["float32", [1.0, -1.0, 2.0, float("nan")]]},
    "input size_s[0]: received inf": {"size_s": ["float32", [float("inf"), 1.0, 2.0, 3.0]]},
    "input age: received -inf": {"age": ["float32", [float("-inf")]]},
    "input look[1]: received a vector with a value that is not finite": {
        "look": ["float32", [[0.0] * 3, [0.0, float("nan"), 0.0], [0.0] * 3, [0.0] * 3]]
    },
}


@pytest.mark.parametrize("form", ["model", "half", "xla"])
@pytest.mark.parametrize("text", REFUSED)
def test_every_form_of_the_export_refuses_what_it_cannot_rank_by_name(answers, form, text):
    answer = answers[f"{form}, {text}"]
    assert answer["error"] == "InvalidArgumentError"
    assert text in answer["message"]


@pytest.mark.parametrize("form", ["rank", "half, rank", "xla, rank"])
def test_the_ranking_score_is_e_to_its_logarithm_in_every_form(answers, form):
    logs = answers[form]["log_ranking_score"]
    np.testing.assert_allclose(answers[form]["ranking_score"], np.exp(logs), rtol=1e-6)


def test_no_signature_asks_for_a_field_that_only_training_has(exported, answers):
    folder, _, _ = exported
    assert "place" not in rank_inputs(folder, USER, ITEMS)
    assert "training_ids" not in answers["features"]
    guide = json.loads((folder / "assets.extra" / "inspection.json").read_text())
    [shown] = guide["training_only"]
    assert (shown["field"], sorted(shown["effects"])) == (
        "place",
        ["click", "ratio", "share", "watch"],
    )


def test_all_signatures_score_as_the_network_does_offline(exported, answers):
    _, offline, _ = exported
    for task, scores in offline.items():
        assert len(set(scores)) == len(ITEMS)
        np.testing.assert_allclose(answers["examples"][task], scores, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(answers["rank"][task], scores, rtol=1e-5, atol=1e-6)


def test_all_signatures_score_and_rank_by_calibrated_logits_and_values_at_quantiles(
    exported, answers
):
    _, offline, _ = exported
    logits = np.log(offline["click"]) - np.log1p(-np.array(offline["click"]))
    # The slopes of the curve are .7, 1 / 2.5, 3.5 / .5 and .7.
    curve = np.select(
        [logits < -2.0, logits < 0.5, logits < 1.0],
        [-4 + 0.7 * (logits + 2), -4 + 0.4 * (logits + 2), -3 + 7 * (logits - 0.5)],
        0.5 + 0.7 * (logits - 1),
    )
    clicks = 1.0 / (1.0 + np.exp(-curve - [0.5, -1.5, 0.0, 0.0]))
    # Predicted quantiles end at 0 and 1, and the first item has twice the values of others.
    ratios = (1.0 + np.clip(offline["ratio"], 0.0, 1.0)) * [2.0, 1.0, 1.0, 1.0]
    before, after = (np.maximum(ratio, 1e-6) for ratio in (np.array(offline["ratio"]), ratios))
    ranking = np.array(answers["rank"]["ranking_score"]) * clicks / np.array(offline["click"])
    ranking *= (after / before) ** 0.5
    for signature in ("examples", "rank"):
        answer = answers[f"calibrated, {signature}"]
        assert answer.keys() == OUTPUTS
        np.testing.assert_allclose(answer["click"], clicks, rtol=1e-4)
        np.testing.assert_allclose(answer["ratio"], ratios, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(answer["ranking_score"], ranking, rtol=1e-4)
    best = answers["calibrated, top 9"]
    assert best["candidate_position"] == np.argsort(-ranking).tolist()
    np.testing.assert_allclose(best["click"], clicks[best["candidate_position"]], rtol=1e-4)


def test_the_export_keeps_the_calibration_that_its_graph_holds(exported):
    from feature_spec.artifacts.calibration import CALIBRATION_FILE, CalibrationReport

    folder, _, _ = exported
    report = CalibrationReport.model_validate_json(
        (folder.with_name("calibrated") / CALIBRATION_FILE).read_bytes()
    )
    assert report.tasks[0].curve.model_dump() == CURVE
    assert not (folder / CALIBRATION_FILE).exists()


@pytest.mark.parametrize(
    ("examples", "rank"),
    [
        ("examples", "rank"),
        ("unknown user, examples", "unknown user, rank"),
        ("one example", "one candidate"),
    ],
)
def test_examples_and_ranking_requests_score_alike(answers, examples, rank):
    assert answers[rank].keys() == answers[examples].keys() == OUTPUTS
    for name, values in answers[rank].items():
        np.testing.assert_allclose(values, answers[examples][name], rtol=1e-5, atol=1e-6)


def test_a_weight_in_the_request_replaces_the_specs(answers):
    clicks = np.array(answers["rank"]["click"])
    # The weight of click goes from 1 to 2, so each ranking score is multiplied by the click score
    # once more.
    np.testing.assert_allclose(
        answers["weights"]["ranking_score"],
        np.array(answers["rank"]["ranking_score"]) * clicks,
        rtol=1e-4,
    )


def test_defaults_of_the_signature_are_the_specs_formula_and_fingerprint(exported):
    from feature_spec.loading import parse_spec

    assert defaults(exported[0], "rank") == {
        "weight_of_click": 1.0,
        "weight_of_ratio": 0.5,
        "weight_of_watch": pytest.approx(0.4),
        "weight_of_share": pytest.approx(0.2),
        "weight_of_duration": pytest.approx(0.3),
        "spec_fingerprint": parse_spec(SPEC).fingerprint.encode(),
    }


def test_a_request_made_for_another_spec_is_refused(answers):
    assert answers["other spec"]["error"] == "InvalidArgumentError"
    assert "spec fingerprint mismatch" in answers["other spec"]["message"]
    assert "another" in answers["other spec"]["message"]


@pytest.mark.parametrize(("call", "given"), [("top 2", 2), ("top 9", len(ITEMS))])
def test_the_best_candidates_come_first_with_what_rank_gives_for_them(answers, call, given):
    best = np.argsort(answers["rank"]["ranking_score"])[::-1][:given].tolist()
    assert answers[call]["candidate_position"] == best
    assert answers[call].keys() == answers["rank"].keys() | {"candidate_position"}
    for name, values in answers["rank"].items():
        np.testing.assert_allclose(answers[call][name], np.array(values)[best], rtol=1e-6)


def test_equals_among_the_best_stay_in_the_order_of_the_request(answers):
    assert answers["top of equals"]["candidate_position"] == [0, 1]


def test_the_best_none_are_refused(answers):
    assert answers["top 0"]["error"] == "InvalidArgumentError"
    assert "top_k must be at least 1" in answers["top 0"]["message"]


def test_transformed_features_carry_labels_of_examples_and_zeros_without(answers):
    features = answers["features"]
    assert np.shape(features["candidate_ids"]) == (4, 1 + 3 + 1)
    assert np.shape(features["labels"]) == np.shape(features["masks"]) == (4, 4)
    assert not np.any(features["masks"])


def test_the_export_carries_its_spec_and_no_optimiser(exported):
    import tensorflow as tf

    from feature_spec.loading import load_spec, parse_spec

    folder, _, _ = exported
    assert load_spec(folder / "assets.extra" / "feature_spec.yaml") == parse_spec(SPEC)
    # The network's weights and nothing beside them: no slots of an optimiser, no step or clock of
    # the training.
    _, _, network = exported
    values = [
        name
        for name, _ in tf.train.list_variables(str(folder / "variables" / "variables"))
        if "VARIABLE_VALUE" in name
    ]
    assert len(values) == len(network.weights)


def test_an_export_in_half_precision_scores_nearly_the_same_for_examples_and_requests(
    exported, answers
):
    _, offline, _ = exported
    for task, scores in offline.items():
        assert answers["half, examples"][task] != scores
        np.testing.assert_allclose(answers["half, examples"][task], scores, atol=0.03)
        np.testing.assert_allclose(answers["half, rank"][task], scores, atol=0.03)


def test_nothing_random_is_left_of_the_training(exported):
    from tensorflow.core.protobuf import saved_model_pb2

    graph = (
        saved_model_pb2.SavedModel.FromString((exported[0] / "saved_model.pb").read_bytes())
        .meta_graphs[0]
        .graph_def
    )
    operations = {node.op for function in graph.library.function for node in function.node_def} | {
        n.op for n in graph.node
    }
    assert "MatMul" in operations
    assert not [
        operation for operation in operations if "Random" in operation or "Dropout" in operation
    ]


# The spec has programs for 1, 100 and 500 candidates.
@pytest.mark.parametrize("call", ["rank", "one candidate", "two requests", "top 2"])
def test_xla_scores_requests_of_any_size_as_the_network_does(answers, call):
    ours, theirs = answers[f"xla, {call}"], answers[call]
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-5, atol=1e-6)
