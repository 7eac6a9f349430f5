"""Runs a TFX pipeline on this machine, node by node, and shows how it goes."""
