"""The search for weights of the ranking formula by replay on logged exposures."""
