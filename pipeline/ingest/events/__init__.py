"""Event logs: impressions and actions joined into labelled rows."""
