"""The settings of an ingestion: the parts of a spec that it depends on, and its days."""
