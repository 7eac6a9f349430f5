"""Fields, the inputs of a ranker, and their values."""
