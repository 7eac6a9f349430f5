"""History stores: what users did before, kept up to date by events and read for each request."""
