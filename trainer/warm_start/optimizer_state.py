"""The state that an optimizer keeps for each variable, by name."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def state_of(optimizer: Any, variable: tf.Variable) -> dict[str, tf.Variable]:
    """Return what an optimizer keeps for a variable: its slots, and its number of steps.

    Args:
        optimizer: a legacy Keras optimizer, or one that is composed of several, of which each has
            variables of its own; None for none.
        variable: a trained variable.

    Returns:
        Variables by name, such as ``Adam/m``, which begins with the optimizer's class. Slots have
        the variable's shape or a shape of their own; the number of steps, ``Adam/iterations``, is
        shared by all variables of an optimizer. Empty if the optimizer keeps nothing.
    """
    if optimizer is None:
        return {}
    for part in getattr(optimizer, "optimizers", [optimizer]):
        slots = {}
        for name in part.get_slot_names():
            try:
                slots[name] = part.get_slot(variable, name)
            except KeyError:  # a variable of another part
                break
        if slots:
            kind = type(part).__name__
            slots["iterations"] = part.iterations
            return {f"{kind}/{name}": slot for name, slot in slots.items()}
    return {}
