"""The inside of a trained model: gates, field masks, connections and mixtures."""
