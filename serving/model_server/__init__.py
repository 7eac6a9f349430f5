"""The local model server: TensorFlow Serving's gRPC interface on a bare machine and in tests. Not the production server."""
