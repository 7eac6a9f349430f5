"""The pipeline as a job of Kubeflow Pipelines."""
