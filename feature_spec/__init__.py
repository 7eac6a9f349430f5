"""The feature spec: fields, tasks, logs and the ranking formula; never loads TensorFlow."""
