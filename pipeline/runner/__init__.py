"""A runner for TFX pipelines on this machine, node by node, with progress."""
