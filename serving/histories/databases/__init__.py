"""Databases of keys and values for history stores: LMDB and Redis."""
