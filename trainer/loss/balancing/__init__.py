"""Ways to balance tasks beyond the loss weights of the spec, one a file, each from its paper."""
