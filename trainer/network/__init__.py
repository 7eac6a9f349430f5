"""The network: transformed features to logits and scores."""
