"""The local model server: TensorFlow Serving's interfaces on a bare machine and in tests.

It is not the production server. It exists because no package registry has TensorFlow Serving, and
its scope is frozen.
"""
