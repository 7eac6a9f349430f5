"""The places where runs keep their files: the pipeline root, and the door to its files."""
