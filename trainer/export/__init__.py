"""The SavedModel: signatures, the ranking score, and faster forms of the network."""
