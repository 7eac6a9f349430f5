"""A look at logs before anything is loaded: what can be known of a spec and its logs in seconds."""
