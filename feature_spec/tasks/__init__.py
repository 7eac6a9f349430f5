"""Tasks: what a ranker predicts, by which label, on which sample space."""
