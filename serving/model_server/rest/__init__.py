"""TensorFlow Serving's REST API over the same models as gRPC: JSON in, JSON out."""
