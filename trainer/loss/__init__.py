"""The joint loss over the sample spaces of the tasks, and ways to balance the tasks."""
