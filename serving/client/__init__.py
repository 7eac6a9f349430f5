"""The ranking client: a typed request in, a ranked list out. It loads no TensorFlow."""
