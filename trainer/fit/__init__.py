"""Fitting: the training loop, its optimisers, early stopping and checkpoints."""
