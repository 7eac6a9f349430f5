"""Step 3: turns raw fields into the ids and numbers that a model reads."""
