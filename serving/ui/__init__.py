"""`fulcrum serve --ui`: a page on loopback that tries a served model with logged requests."""
