"""The systems that `benchmarks.ingest` measures, each in a process of its own."""
