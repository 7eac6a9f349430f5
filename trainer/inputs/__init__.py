"""What a training reads: transformed examples in batches, and the job that all workers share."""
