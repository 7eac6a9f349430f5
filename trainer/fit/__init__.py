"""The training loop, its optimizers, early stopping and checkpoints."""
