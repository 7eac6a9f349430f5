"""Scores of logs or examples by an exported model, as a Parquet file."""
