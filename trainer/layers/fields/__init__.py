"""Layers of the fields before a sharing architecture, and beside it."""
