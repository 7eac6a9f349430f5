"""What a run takes over from earlier runs: the model to compare with, statistics, days."""
