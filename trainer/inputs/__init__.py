"""The inputs of a training: transformed examples in batches, and the job that workers share."""
