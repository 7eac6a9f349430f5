"""The check before a push: the exported version, served on this machine, answers as the trainer's model does, and in time."""
