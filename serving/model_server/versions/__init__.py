"""Models on disk and in memory: their versions, and the change from one to another."""
