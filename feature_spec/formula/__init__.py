"""The ranking formula: how scores become one ranking score."""
