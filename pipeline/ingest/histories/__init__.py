"""Histories: point in time, what was known of keys before each exposure, and the state after."""
