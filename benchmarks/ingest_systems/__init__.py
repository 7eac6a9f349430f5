"""Systems that `benchmarks.ingest` measures, each run in a process of its own (see `benchmarks.worker`)."""
