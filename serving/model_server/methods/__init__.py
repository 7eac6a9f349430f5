"""One file a method of TensorFlow Serving's API, and what the methods share."""
