"""Settings of models, training and search. Importing them does not load TensorFlow."""
