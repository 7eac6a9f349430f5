"""Step 3: raw fields become the ids and numbers that a model reads."""
