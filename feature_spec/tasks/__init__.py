"""Tasks, with their label rules and sample spaces."""
