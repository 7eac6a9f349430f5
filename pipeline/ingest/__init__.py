"""From logs to labelled, joined and split tf.Examples: an ExampleGen with its own Beam executor (docs/ingestion.md)."""
