"""Ingestion: an ExampleGen with a Beam executor of its own, for logs (docs/ingestion.md)."""
