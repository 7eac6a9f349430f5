"""Where runs keep their artifacts: the pipeline root and the doors to files in it."""
