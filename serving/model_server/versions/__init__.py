"""Models on disk and in memory: which versions there are, which are loaded, and how one takes over from another."""
