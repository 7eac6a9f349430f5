"""What losses over the whole space are worth, where the true conversion rate is known."""
