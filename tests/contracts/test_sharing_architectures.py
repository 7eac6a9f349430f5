"""What every model keeps to."""

from __future__ import annotations

import inspect
import itertools
import json

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from feature_spec.names import PENALTIES  # noqa: E402
from trainer.layers.flat_input import FlatInput  # noqa: E402
from trainer.network.network import build_architecture  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402

pytestmark = pytest.mark.tensorflow

FIELD_WIDTHS = (4, 4, 3, 1)
REQUEST_WIDTH, INPUT = 8, sum(FIELD_WIDTHS)
# Models with options of other papers, by what they are called here.
_HOME = {"expert_activation": "swish", "expert_norm": "rms", "feature_gate_rank": 2}
_GROUPS = {"self_gate": True, "task_groups": [["0", "2", "4"], ["1", "3"]]}
FORMS = {
    "mmoe as home": ("mmoe", _HOME),
    "ple as home": ("ple", {**_HOME, **_GROUPS}),
}
EVERY_MODEL = pytest.mark.parametrize("name", [*MODELS, *FORMS])


def made(name, tasks=2, **settings):
    model, options = FORMS.get(name, (name, {}))
    return build_architecture(
        MODELS[model](**options, **settings), [str(task) for task in range(tasks)], FIELD_WIDTHS
    )


def inputs(model, rows=6):
    x = tf.constant(np.random.default_rng(0).normal(size=(rows, INPUT)).astype("f4"))
    return [x] * model.embeddings


@pytest.mark.parametrize("name", MODELS)
def test_the_arguments_of_a_model_are_its_settings_with_the_same_defaults(name):
    arguments = {
        argument: parameter.default
        for argument, parameter in inspect.signature(type(made(name))).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        # These follow from the fields.
        and argument not in ("field_widths", "pooled_fields", "task_widths")
    }
    defaults = MODELS[name]().arguments
    assert arguments == {
        key: tuple(value) if isinstance(value, list) else value for key, value in defaults.items()
    }


@EVERY_MODEL
@pytest.mark.parametrize("tasks", [1, 2, 5])
def test_any_number_of_tasks_has_a_representation_each(name, tasks):
    model = made(name, tasks)
    outputs = model(inputs(model))
    assert len(outputs) == tasks
    assert all(output.shape[0] == 6 and output.shape[1] > 0 for output in outputs)


@EVERY_MODEL
def test_a_batch_of_one_and_an_unknown_batch_keep_their_shape(name):
    model = made(name)
    whole = model(inputs(model))
    one = model([x[:1] for x in inputs(model)])

    @tf.function(input_signature=[tf.TensorSpec([None, INPUT])])
    def traced(x):
        return model([x] * model.embeddings)

    unknown = traced(inputs(model)[0])
    for expected, single, of_any_size in zip(whole, one, unknown, strict=True):
        np.testing.assert_allclose(single, expected[:1], atol=1e-6)
        np.testing.assert_allclose(of_any_size, expected, atol=1e-6)


@EVERY_MODEL
def test_the_split_input_gives_what_the_whole_input_gives(name):
    model = made(name)
    x = inputs(model)[0]
    request = tf.repeat(x[:1, :REQUEST_WIDTH], 6, axis=0)
    whole = model([tf.concat([request, x[:, REQUEST_WIDTH:]], axis=1)] * model.embeddings)
    split = model([FlatInput(x[:1, :REQUEST_WIDTH], x[:, REQUEST_WIDTH:])] * model.embeddings)
    for one, other in zip(whole, split, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@EVERY_MODEL
def test_a_model_is_made_again_from_its_configuration(name):
    model = made(name, 3, tower_units=[7], dropout_rate=0.1)
    model(inputs(model))
    config = json.loads(json.dumps(model.get_config()))
    again = type(model).from_config(config)
    again(inputs(again))
    again.set_weights(model.get_weights())
    for one, other in zip(model(inputs(model)), again(inputs(again)), strict=True):
        np.testing.assert_array_equal(one, other)


@EVERY_MODEL
def test_scores_survive_a_saved_model(name, tmp_path):
    model = made(name)
    before = model(inputs(model))

    class Exported(tf.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        @tf.function(input_signature=[tf.TensorSpec([None, INPUT])])
        def score(self, x):
            return self.model([x] * self.model.embeddings)

    tf.saved_model.save(Exported(), str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for one, other in zip(before, loaded.score(inputs(model)[0]), strict=True):
        np.testing.assert_array_equal(one, other)


@EVERY_MODEL
def test_the_gradient_of_all_tasks_reaches_every_variable(name):
    tf.keras.utils.set_random_seed(5)
    model = made(name, 3)
    x = inputs(model, rows=64)
    model(x)
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_sum(tf.square(output)) for output in model(x, training=True)])
    for variable, gradient in zip(
        model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
    ):
        assert gradient is not None, variable.name
        assert np.any(gradient.numpy()), variable.name
    assert not model.non_trainable_variables


@EVERY_MODEL
@pytest.mark.parametrize("seed", [0, 42])
def test_no_two_variables_of_one_shape_begin_alike(name, seed):
    tf.keras.utils.set_random_seed(seed)
    model = made(name, 3)
    model(inputs(model))
    # Biases begin at 0, mixtures near the identity, native weights at the mean, gains at 1.
    drawn = [
        v
        for v in model.trainable_variables
        if not any(part in v.name for part in ("bias", "alpha:", "beta", "native", "gain"))
    ]
    for one, other in itertools.combinations(drawn, 2):
        if one.shape == other.shape:
            assert not np.allclose(one, other), (one.name, other.name)


@EVERY_MODEL
def test_evaluation_is_the_same_on_every_call(name):
    model = made(name, dropout_rate=0.5)
    for one, other in zip(model(inputs(model)), model(inputs(model), training=False), strict=True):
        np.testing.assert_array_equal(one, other)


@EVERY_MODEL
def test_dropout_is_on_in_training(name):
    tf.keras.utils.set_random_seed(0)
    model = made(name, dropout_rate=0.5)
    whole = model(inputs(model))
    dropped = model(inputs(model), training=True)
    assert any(not np.allclose(one, other) for one, other in zip(whole, dropped, strict=True))


@EVERY_MODEL
def test_mixed_precision_gives_half_precision_representations(name):
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = made(name)
        outputs = model([tf.cast(x, tf.bfloat16) for x in inputs(model)])
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    assert all(output.dtype == tf.bfloat16 for output in outputs)
    assert all(variable.dtype == tf.float32 for variable in model.trainable_variables)


@EVERY_MODEL
def test_penalties_are_finite_scalars(name):
    model = made(name)
    model(inputs(model))
    for term, value in model.penalties().items():
        assert value.shape == [], term
        assert float(value) >= 0.0
        assert term in PENALTIES, "no task may have its name"


@EVERY_MODEL
def test_one_input_or_a_list_of_field_embeddings_may_be_given(name):
    model = made(name)
    x = inputs(model)[0]
    whole = model(x)
    assert [output.shape[0] for output in whole] == [6, 6]
    if model.embeddings == 1:
        fields = tf.split(x, FIELD_WIDTHS, axis=1)
        for one, other in zip(whole, model(fields), strict=True):
            np.testing.assert_array_equal(one, other)


@EVERY_MODEL
def test_a_model_is_a_layer_of_a_functional_keras_model(name):
    x = tf.keras.Input([INPUT])
    model = tf.keras.Model(x, made(name)(x))
    assert [output.shape[0] for output in model(tf.ones([3, INPUT]))] == [3, 3]
