"""Step 2: compares ingested examples with the spec, and with examples of earlier runs."""
