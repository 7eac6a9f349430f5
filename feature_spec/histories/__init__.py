"""Histories: what users did before, as of each exposure, as fields of the model."""
