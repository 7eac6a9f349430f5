"""Artifacts that a run takes over from earlier runs: models, statistics, caches."""
