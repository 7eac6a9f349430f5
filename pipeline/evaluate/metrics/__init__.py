"""The metrics of tasks and rankings as TFMA metrics, with jackknife intervals."""
