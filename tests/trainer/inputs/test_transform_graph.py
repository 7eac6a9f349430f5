"""The transform graph in the graph of a caller, on a graph made by hand."""

import pytest

pytestmark = pytest.mark.tensorflow

USERS, ITEMS = ["ann", "bob"], ["x", "y", "z"]


@pytest.fixture(scope="module")
def transform(tmp_path_factory):
    """A graph as Transform writes it: a user and its past, an item and its size."""
    import tensorflow as tf

    from trainer.inputs.transform_graph import TransformGraph

    class Written(tf.Module):
        def __init__(self):
            super().__init__()
            self.tables = {
                side: tf.lookup.StaticHashTable(
                    tf.lookup.KeyValueTensorInitializer(
                        values, tf.range(len(values), dtype=tf.int64)
                    ),
                    -1,
                )
                for side, values in (("user", USERS), ("item", ITEMS))
            }
            self.mean = tf.constant(3.0)

        @tf.function(
            input_signature=[
                {
                    "user": tf.TensorSpec([None], tf.string),
                    "past": tf.SparseTensorSpec([None, None], tf.string),
                    "item": tf.TensorSpec([None], tf.string),
                    "size": tf.TensorSpec([None], tf.float32),
                    "label": tf.TensorSpec([None], tf.float32),
                }
            ]
        )
        def transform_fn(self, inputs):
            past = tf.sparse.to_dense(inputs["past"], default_value="")
            return {
                "request_ids": tf.concat(
                    [
                        self.tables["user"].lookup(inputs["user"])[:, tf.newaxis],
                        self.tables["item"].lookup(past),
                    ],
                    axis=1,
                ),
                "candidate_ids": self.tables["item"].lookup(inputs["item"])[:, tf.newaxis],
                "candidate_numbers": (inputs["size"] - self.mean)[:, tf.newaxis],
                "labels": inputs["label"],
            }

    folder = str(tmp_path_factory.mktemp("transform"))
    tf.saved_model.save(Written(), folder)
    return TransformGraph(folder)


def request():
    import tensorflow as tf

    return {"user": tf.constant(["bob"]), "past": tf.sparse.from_dense([["y", "x"]])}


def candidates():
    import tensorflow as tf

    return {"item": tf.constant(["z", "x", "?"]), "size": tf.constant([3.0, 4.0, 5.0])}


def transformed(transform, fields):
    import tensorflow as tf

    return {
        name: value.numpy().tolist()
        for name, value in tf.function(transform, autograph=False)(fields).items()
    }


def test_fields_give_the_features_that_depend_on_them_alone(transform):
    assert transformed(transform, request()) == {"request_ids": [[1, 1, 0]]}
    assert transformed(transform, candidates()) == {
        "candidate_ids": [[2], [0], [-1]],
        "candidate_numbers": [[0.0], [1.0], [2.0]],
    }


def test_a_feature_is_left_out_as_long_as_a_field_is_missing(transform):
    alone = {"user": request()["user"], "size": candidates()["size"]}
    assert transformed(transform, alone) == {"candidate_numbers": [[0.0], [1.0], [2.0]]}


def test_the_caller_runs_no_lookup_of_another_side(transform):
    import tensorflow as tf

    graph = tf.function(transform, autograph=False).get_concrete_function(candidates()).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("LookupTableFindV2") == 1
    assert not [kind for kind in kinds if "PartitionedCall" in kind]


def test_a_model_that_holds_the_graph_is_loaded_with_its_tables(transform, tmp_path):
    import tensorflow as tf

    class Model(tf.Module):
        def __init__(self):
            super().__init__()
            self.transform = transform

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="item")])
        def score(self, item):
            size = tf.zeros_like(item, tf.float32)
            return self.transform({"item": item, "size": size})["candidate_ids"]

    model = Model()
    tf.saved_model.save(model, str(tmp_path), signatures={"serving_default": model.score})
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    assert served(item=tf.constant(["y", "?"]))["output_0"].numpy().tolist() == [[1], [-1]]
