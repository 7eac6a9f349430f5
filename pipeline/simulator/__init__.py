"""Short-video logs with known probabilities, for demonstrations and tests (docs/simulator.md)."""
