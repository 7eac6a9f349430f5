"""The report of a run as one HTML file, and comparisons of several runs.

Only `component` loads TFX; nothing else here loads TFX or TensorFlow.
"""
