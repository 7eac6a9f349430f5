"""Logs: where they lie, how they are read, and when things happened."""
