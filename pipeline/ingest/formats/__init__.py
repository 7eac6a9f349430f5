"""One file a file format: bytes to records."""
