"""The metrics of tasks and rankings from sums over arrays, with jackknife intervals."""
