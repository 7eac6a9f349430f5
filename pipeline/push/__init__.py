"""Step 6: the version is served on trial and published."""
