"""Scores as probabilities: fitted to validation examples, served in the export."""
