"""Step 6: serves the version on trial, and publishes it."""
