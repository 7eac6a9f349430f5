"""The elements of pages: sections, tables and figures."""
