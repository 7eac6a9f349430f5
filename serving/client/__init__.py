"""The ranking client: a typed request in, a ranked list out, over TensorFlow Serving's Predict. It loads no TensorFlow."""
