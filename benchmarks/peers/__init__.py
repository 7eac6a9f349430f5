"""One script a system. Each runs in a process, and a peer in an environment, of its own."""
