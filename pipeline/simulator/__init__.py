"""Short-video logs with known probabilities, for demonstrations and tests. The process is described in docs/simulator.md."""
