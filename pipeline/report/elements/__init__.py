"""What pages are made of: sections, tables and figures."""
