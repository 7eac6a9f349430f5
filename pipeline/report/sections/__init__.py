"""One question that the report answers in each module."""
