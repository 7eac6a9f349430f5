"""A run from the lock to the summary, and a series of runs, without command-line options."""
