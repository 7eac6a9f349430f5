"""The smaller sections of a spec: evaluation, distribution, spans, tuner and serving."""
