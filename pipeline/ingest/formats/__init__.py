"""From stored bytes to records, by file format."""
