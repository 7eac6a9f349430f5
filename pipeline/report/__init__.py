"""The report of a run as one HTML file, and several runs side by side. Importing this loads neither TFX nor TensorFlow."""
