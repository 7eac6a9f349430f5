"""Keras layers of the papers. They take numbers and tensors, never the feature spec."""
