"""Typed files that one package writes and another reads."""
