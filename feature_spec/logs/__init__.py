"""Logs: their places, formats and event times."""
