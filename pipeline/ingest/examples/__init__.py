"""From labelled rows to files of tf.Examples: splits, sampling, encoding, shards."""
