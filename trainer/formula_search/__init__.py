"""Search for the weights of the ranking formula by replay on logged exposures: `fulcrum tune-formula`."""
