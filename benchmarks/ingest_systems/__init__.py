"""Systems that `benchmarks.ingest` measures, each run in a process of its own: arguments in, a line `MEASURED {…}` out."""
