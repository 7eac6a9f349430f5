"""The operator's configuration, in TensorFlow Serving's formats: models, labels, metrics, TLS."""
