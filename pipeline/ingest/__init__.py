"""Ingestion: an ExampleGen with a Beam executor of its own, logs to tf.Examples (docs/ingestion.md)."""
