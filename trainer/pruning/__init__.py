"""Networks without what their gates closed and what no input reaches."""
