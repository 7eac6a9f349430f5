"""Runs by span: a span is a day of logs, and a run trains on a window of days."""
