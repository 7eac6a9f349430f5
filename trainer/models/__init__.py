"""Sharing architectures: from field embeddings to one representation a task."""
