"""Open-loop load on a model server, and what it did to the latency."""
