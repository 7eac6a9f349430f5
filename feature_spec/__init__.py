"""WHAT EXISTS: fields, tasks and the ranking formula. Pure Python: importing this never loads TensorFlow."""
