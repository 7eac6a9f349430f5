"""The examples in the docstrings of layers and models run, and every public class has one."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

pytest.importorskip("tensorflow")
import trainer.layers
import trainer.models

pytestmark = pytest.mark.tensorflow

_MODULES = [
    module.name
    for package in (trainer.layers, trainer.models)
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + ".")
]


@pytest.mark.parametrize("name", _MODULES)
def test_the_examples_of_a_module_run(name):
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0


@pytest.mark.parametrize("name", _MODULES)
def test_every_public_layer_and_model_has_an_example(name):
    module = importlib.import_module(name)
    public = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and thing.__module__ == name and "fulcrum>" in _registered(thing)
    ]
    assert [thing.__name__ for thing in public if ">>>" not in (thing.__doc__ or "")] == []


def _registered(kind):
    import tensorflow as tf

    return tf.keras.utils.get_registered_name(kind)
