"""The fate of every line: counters, rejected lines and the summary."""
