"""What an operator configures: models, version labels, monitoring and TLS, in TensorFlow Serving's formats."""
