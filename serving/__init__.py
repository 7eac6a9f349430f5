"""REQUEST → RANKED LIST: the client, the local model server and what deploys TensorFlow Serving."""
