"""The gRPC side of the model server: services, admission, health and metrics."""
