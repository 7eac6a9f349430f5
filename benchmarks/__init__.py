"""Speed and quality of the product, measured. Never imported by it."""
